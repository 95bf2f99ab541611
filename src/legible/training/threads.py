"""The number of threads of a training; set it before the backend begins to compute."""

import os

from legible.errors import SettingsError


def limit_threads(count: int) -> None:
    """Compute with this many threads; 0 leaves it to the backend.

    Raise SettingsError with JAX, which has no such setting.
    """
    if count == 0:
        return
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend == "tensorflow":
        import tensorflow as tf  # only where it is the backend  # noqa: PLC0415

        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(count)
    elif backend == "torch":
        import torch  # only where it is the backend  # noqa: PLC0415

        torch.set_num_threads(count)
    else:
        raise SettingsError(
            f"--threads is not for {backend}: taskset -c 0-{count - 1} legible train limits it to cores"
        )
