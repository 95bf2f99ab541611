"""Labels as Label Studio's JSON: tasks with annotations, written for an import there, and read from an export.

A task is a kept image. Its text is a `textarea` named `transcription`; `unreadable` and `not_text` are `choices` named
`verdict`. LABELLING_CONFIG is what a project there needs. See https://labelstud.io/guide/export.html.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from legible.errors import DataError
from legible.labelling.labels import Label, LabelVerdict

LABELLING_CONFIG = """<View>
  <Image name="image" value="$image"/>
  <TextArea name="transcription" toName="image" value="$read" maxSubmissions="1" editable="true"/>
  <Choices name="verdict" toName="image"><Choice value="unreadable"/><Choice value="not_text"/></Choices>
</View>
"""
READING = re.compile(r"[0-9]{8}T[0-9]{2}-[0-9]{1,20}-[0-9a-f]{12}")
"""A reading id within the name of an image: Label Studio puts digits of its own before uploaded names."""
TEXTAREA, CHOICES = "transcription", "verdict"
WITHOUT_TEXT: tuple[LabelVerdict, ...] = ("unreadable", "not_text")


def to_tasks(labels: Iterable[Label], images: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return one task for each image; `images` are their addresses by reading id, also of images without a label."""
    by_image: dict[str, list[Label]] = {reading_id: [] for reading_id in images}
    for label in labels:
        by_image.setdefault(label.reading_id, []).append(label)
    return [_task(reading_id, images.get(reading_id, ""), own) for reading_id, own in sorted(by_image.items())]


def _task(reading_id: str, image: str, labels: Sequence[Label]) -> dict[str, Any]:
    shown = next((label for label in labels if label.read), None)
    read = shown.read if shown else ""
    task: dict[str, Any] = {
        "data": {"image": image or f"{reading_id}.png", "reading_id": reading_id, "read": read},
        "annotations": [_annotation(label) for label in labels if label.verdict != "skip"],
    }
    if shown:
        task["predictions"] = [
            {"model_version": shown.bundle, "score": shown.confidence, "result": [_text_result(shown.read)]}
        ]
    return task


def _annotation(label: Label) -> dict[str, Any]:
    result = _text_result(label.text) if label.verdict == "text" else _choice_result(label.verdict)
    at = datetime.fromtimestamp(label.at, UTC).isoformat()
    return {"completed_by": {"email": label.labeller}, "created_at": at, "updated_at": at, "result": [result]}


def _text_result(text: str) -> dict[str, Any]:
    return {"from_name": TEXTAREA, "to_name": "image", "type": "textarea", "value": {"text": [text]}}


def _choice_result(verdict: str) -> dict[str, Any]:
    return {"from_name": CHOICES, "to_name": "image", "type": "choices", "value": {"choices": [verdict]}}


def from_tasks(content: bytes, name: str) -> list[Label]:
    """Return the labels of an export. Raise DataError, naming the task, where one cannot be understood."""
    try:
        tasks = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: no JSON ({error}); export the project as JSON") from error
    if not isinstance(tasks, list):
        raise DataError(f"{name}: no list of tasks; export the project as JSON, not as JSON-MIN or CSV")
    labels = []
    for number, task in enumerate(tasks, start=1):
        try:
            labels += list(_labels_of(task))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise DataError(f"{name}: task {number} cannot be understood ({type(error).__name__}: {error})") from error
    return labels


def _labels_of(task: Mapping[str, Any]) -> Iterator[Label]:
    annotations = [one for one in task.get("annotations", ()) if not one.get("was_cancelled")]
    for annotation in annotations:
        verdict, text = _said(annotation["result"])
        if verdict:
            yield Label(
                _time_of(annotation),
                _reading_id(task["data"]),
                _labeller(annotation.get("completed_by")),
                verdict,
                text,
            )


def _reading_id(data: Mapping[str, Any]) -> str:
    stated = f"{data.get('reading_id', '')} {data.get('image', '')}"
    found = READING.search(stated)
    if not found:
        raise ValueError(
            f"no reading id in {stated.strip()[:80]!r}; images have to keep the names that legible gave them"
        )
    return found[0]


def _said(results: Sequence[Mapping[str, Any]]) -> tuple[LabelVerdict | None, str]:
    """Return the verdict and the text of an annotation; None where the annotator said neither."""
    for result in results:
        if result["type"] == "textarea":
            given = result["value"]["text"]
            return "text", (given if isinstance(given, str) else " ".join(given)).strip()
        if result["type"] == "choices":
            choice = result["value"]["choices"][0]
            return next(verdict for verdict in WITHOUT_TEXT if verdict == choice), ""
    return None, ""


def _labeller(completed_by: Any) -> str:
    """Return a name of who annotated: `{"email": "ann@example.org"}` is `ann`, the user 7 is `label-studio-7`."""
    if isinstance(completed_by, dict):
        email = str(completed_by.get("email") or "")
        if email:
            return re.sub(r"[^A-Za-z0-9_.-]", "-", email.partition("@")[0])[:64]
        completed_by = completed_by.get("id")
    return f"label-studio-{completed_by or 0}"


def _time_of(annotation: Mapping[str, Any]) -> float:
    stated = annotation.get("updated_at") or annotation["created_at"]
    return datetime.fromisoformat(stated).timestamp()
