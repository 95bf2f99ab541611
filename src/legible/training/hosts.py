"""Several hosts that train together under JAX: each runs the same command, and computes its rows of each batch.

Batches are the same on every host, as they follow from seed, epoch and data alone. Each host has the project's folder
for itself: the same parameters and data in it, and at the end the same weights.
"""

import os

import keras
import numpy as np
import numpy.typing as npt

from legible.errors import DataError, SettingsError

SHOWN = 8
"""The digits of a fingerprint that hosts compare at a time."""


def join_hosts(coordinator: str, *, count: int, number: int) -> None:
    """Wait until so many hosts have joined; `coordinator` is the address of host 0, `number` that of this one, from 0.

    Call it before anything is computed. Raise SettingsError with another backend than JAX, and for a wrong number.
    """
    if count == 1:
        return
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "jax":
        raise SettingsError(
            f"--hosts {count} needs JAX, and the backend is {backend}, for which Keras cannot do it: "
            f"KERAS_BACKEND=jax legible train --hosts {count}"
        )
    if not 0 <= number < count:
        raise SettingsError(f"--host {number}: hosts are numbered from 0 to {count - 1}")
    if not coordinator:
        raise SettingsError(f"--hosts {count} needs --coordinator, the address of host 0, such as 10.0.0.1:9876")
    keras.distribution.initialize(coordinator, count, number)


def host_count() -> int:
    """Return the number of hosts that have joined, 1 where none were asked for."""
    if keras.backend.backend() != "jax":
        return 1
    import jax  # only where it is the backend  # noqa: PLC0415

    return int(jax.process_count())


def own_rows(batch: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Return the rows of a batch (B, ...) that this host computes: all of them where it is the only one.

    Hosts take equal parts, in their order.
    """
    count = host_count()
    if count == 1:
        return batch
    import jax  # as above  # noqa: PLC0415

    size = len(batch) // count
    first = int(jax.process_index()) * size
    return batch[first : first + size]


def check_hosts_agree(fingerprint: str, *, epochs: int) -> None:
    """Raise DataError where hosts have other parameters or data, or come from another epoch; every host says so."""
    if host_count() == 1:
        return
    from jax.experimental import multihost_utils  # as above  # noqa: PLC0415

    parts = [int(fingerprint[start : start + SHOWN], 16) >> 1 for start in range(0, 4 * SHOWN, SHOWN)]
    told = np.asarray(multihost_utils.process_allgather(np.array([*parts, epochs], np.int32)))
    if (told[:, :-1] != told[0, :-1]).any():
        raise DataError(
            "hosts have different parameters or data; copy params.yaml and data/dataset of one to the others"
        )
    if (told[:, -1] != told[0, -1]).any():
        done = ", ".join(f"host {number}: {epoch}" for number, epoch in enumerate(told[:, -1].tolist()))
        raise DataError(f"hosts were stopped at different epochs ({done}); copy training/ of one to the others")
