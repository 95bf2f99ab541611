"""The threads that read what the event loop cannot, and the room for decoded images, in two lanes.

What takes seconds has a lane of its own: nobody's word or line waits for the posters of somebody else.
"""

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from legible.service.held_images import HeldImages, Hold
from legible.service.read_job import ReadJob

HELD_REQUESTS = 2
"""The requests of the most pixels whose decoded images may be held at a time."""
LIGHT_PART = 4
"""Light requests may hold this part of the pixels of one request beside them."""


class Lanes:
    """A lane for light images and all that is soon done, and one for the others; one thread each."""

    def __init__(self, max_pixels: int) -> None:
        self._light = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._heavy = ThreadPoolExecutor(1, thread_name_prefix="heavy-reader")
        self._max_pixels = max_pixels
        self._held_light = HeldImages(max_pixels // LIGHT_PART)
        self._held_heavy = HeldImages(HELD_REQUESTS * max_pixels)

    async def hold(self, jobs: Collection[ReadJob], *, pixels: int) -> Hold:
        """Wait until there is room for the images of a request, which have so many pixels; return the hold on it."""
        held = self._held_light if all(job.is_light for job in jobs) else self._held_heavy
        return await held.take(min(pixels, self._max_pixels))

    async def run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Return the result of a call that is soon done."""
        return await asyncio.get_running_loop().run_in_executor(self._light, call, *arguments)

    async def run_for(self, job: ReadJob, call: Callable[..., Any], *arguments: Any) -> Any:
        """Return the result of a call about a job's image, made in its lane."""
        lane = self._light if job.is_light else self._heavy
        return await asyncio.get_running_loop().run_in_executor(lane, call, *arguments)
