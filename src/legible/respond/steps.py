"""The steps of `legible respond`."""

from enum import StrEnum


class Step(StrEnum):
    """The steps, in their order; `all_steps` runs one after the other."""

    watch = "watch"
    queue = "queue"
    tune = "tune"
    propose = "propose"
    all_steps = "all"
