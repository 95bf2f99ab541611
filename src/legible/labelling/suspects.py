"""Suspects: samples that a bundle finds least probable: wrong labels, cut words, images of something else."""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path

from legible.data.dataset import Sample
from legible.image.contact_sheet import Cell, draw_sheet
from legible.recognition.recognizer import Recognizer


@dataclass(frozen=True)
class Suspect:
    """A sample, its reading, and the log of how many times more probable the reading is than the label."""

    sample: Sample
    read: str
    gap: float


def find_suspects(samples: Iterable[Sample], recognizer: Recognizer, *, count: int) -> list[Suspect]:
    """Return the samples whose label is least probable beside what is read, worst first.

    Labels with characters outside the recognizer's charset are skipped.
    """
    known = (sample for sample in samples if not recognizer.charset.unknown(sample.text))
    judged = (_judge(sample, recognizer) for sample in known)
    return nlargest(count, (suspect for suspect in judged if suspect.gap > 0), key=lambda suspect: suspect.gap)


def draw_suspects(path: Path, suspects: Iterable[Suspect]) -> None:
    cells = [
        Cell(s.sample.image, (f"is    {s.sample.text}", f"read {s.read}  {s.gap:.0f}", s.sample.id)) for s in suspects
    ]
    draw_sheet(path, cells, columns=4, picture=(320, 48))


def _judge(sample: Sample, recognizer: Recognizer) -> Suspect:
    (reading,) = recognizer.read([sample.image])
    if reading.text == sample.text:
        return Suspect(sample, reading.text, 0.0)
    read, labelled = (recognizer.log_probability(sample.image, text) for text in (reading.text, sample.text))
    return Suspect(sample, reading.text, read - labelled)
