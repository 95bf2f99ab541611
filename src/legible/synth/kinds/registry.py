"""The kinds of samples by name, in the order of their numbers in the seed: new ones are added at the end."""

from collections.abc import Mapping

from legible.synth.kinds.blanks import BLANK
from legible.synth.kinds.displays import DOT, SEGMENT
from legible.synth.kinds.documents import BOOK, DOCUMENT
from legible.synth.kinds.forms import FORM
from legible.synth.kinds.kind import SampleKind
from legible.synth.kinds.receipts import RECEIPT
from legible.synth.kinds.scene import LETTERING, SCENE
from legible.synth.kinds.screens import SCREEN
from legible.synth.kinds.singles import SINGLES
from legible.synth.kinds.typescripts import TYPESCRIPT

SAMPLE_KINDS: Mapping[str, SampleKind] = {
    kind.name: kind
    for kind in (RECEIPT, FORM, DOCUMENT, BOOK, TYPESCRIPT, SCREEN, SCENE, LETTERING, SEGMENT, DOT, SINGLES, BLANK)
}
