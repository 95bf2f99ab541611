"""The same images on every processor of a kind: nothing is drawn by code that is chosen for the processor.

OpenCV's code for newer instructions, and Intel's library in it, round differently from its plain code: 72 of 1,236
images differed, and with them the sum of the data set that a training belongs to. numpy has other loops of sines and
exponentials for AVX-512. The plain code of both costs nothing where letters are drawn.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

NUMPY_WITHOUT = "NPY_DISABLE_CPU_FEATURES"
"""The variable of the processor features that numpy does not use in a process that starts with it."""


def draw_plainly() -> None:
    """Use OpenCV's plain code, on one thread, for the rest of this process."""
    cv2.setNumThreads(1)
    cv2.setUseOptimized(False)


@contextmanager
def plain_opencv() -> Iterator[None]:
    """Use OpenCV's plain code in this process while the block runs; numpy stays as it was loaded."""
    before = cv2.useOptimized()
    cv2.setUseOptimized(False)
    try:
        yield
    finally:
        cv2.setUseOptimized(before)


@contextmanager
def plain_numpy() -> Iterator[None]:
    """Use numpy's plain code in the processes that are started while the block runs."""
    before = os.environ.get(NUMPY_WITHOUT)
    os.environ[NUMPY_WITHOUT] = " ".join(np.show_config(mode="dicts")["SIMD Extensions"].get("found", []))
    try:
        yield
    finally:
        os.environ.pop(NUMPY_WITHOUT)
        if before is not None:
            os.environ[NUMPY_WITHOUT] = before
