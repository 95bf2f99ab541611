"""A Ray cluster: the connection to it, and a pool of its cores that takes the place of a pool of processes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import legible
from legible.errors import BundleError, SettingsError

Result = TypeVar("Result")
AHEAD = 2
"""The calls of each core: the one that it makes, and the next."""
MAX_RETRIES = 5
"""A call is made again so often where the worker or node that made it has died."""


def connect(address: str) -> Any:
    """Return Ray, connected to the cluster at an address; to one that is started here where it is empty."""
    try:
        import ray  # an extra  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError('--engine ray needs Ray: pip install "legible-ocr[scale]"') from error
    if not ray.is_initialized():
        try:
            ray.init(address=address or None, log_to_driver=False, include_dashboard=False)
        except ConnectionError as error:
            raise SettingsError(f"no Ray cluster at {address or 'this machine'} ({error}); name another") from error
    return ray


class RayPool:
    """Calls functions on the cores of a cluster. A function has to give the same result wherever it is called.

    environment: variables of the processes that call it, set before they load anything.
    """

    def __init__(self, address: str, *, environment: Mapping[str, str] | None = None) -> None:
        self._ray = connect(address)
        options = {"num_cpus": 1, "max_retries": MAX_RETRIES, "runtime_env": {"env_vars": dict(environment or {})}}
        self._call = self._ray.remote(**options)(_call)

    def keep(self, value: object) -> Any:
        """Put a large value where all cores find it; `call` passes it on as it is."""
        return self._ray.put(value)

    def map(self, function: Callable[..., Result], arguments: Iterable[tuple[Any, ...]]) -> Iterator[Result]:
        """Yield the results in the order of the arguments, some of them computed ahead.

        Raise what the function raises, and BundleError for a worker with another version of legible.
        """
        waiting: deque[Any] = deque()
        for own in arguments:
            waiting.append(self._call.remote(legible.__version__, function, *own))
            if len(waiting) > AHEAD * self._cores():
                yield self._result(waiting.popleft())
        while waiting:
            yield self._result(waiting.popleft())

    def _cores(self) -> int:
        return max(int(self._ray.cluster_resources().get("CPU", 1)), 1)

    def _result(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None


def _call(version: str, function: Callable[..., Result], *arguments: Any) -> Result:
    if version != legible.__version__:
        raise BundleError(f"a worker has legible {legible.__version__}, the driver {version}; install that one there")
    return function(*arguments)
