"""The kinds of samples by name, in the order of their numbers in the seed: new ones are added at the end."""

from collections.abc import Mapping

from legible.synth.kinds.blanks import BLANK
from legible.synth.kinds.displays import DOT, SEGMENT
from legible.synth.kinds.kind import SampleKind
from legible.synth.kinds.paper_kinds import BOOK, DOCUMENT, FORM, RECEIPT, TYPESCRIPT
from legible.synth.kinds.scene import LETTERING, SCENE
from legible.synth.kinds.screens import SCREEN
from legible.synth.kinds.singles import SINGLES

SAMPLE_KINDS: Mapping[str, SampleKind] = {
    kind.name: kind
    for kind in (RECEIPT, FORM, DOCUMENT, BOOK, TYPESCRIPT, SCREEN, SCENE, LETTERING, SEGMENT, DOT, SINGLES, BLANK)
}
