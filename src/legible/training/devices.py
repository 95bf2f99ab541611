"""Several accelerators that share each batch of a training; set them before the network is built."""

import keras

from legible.errors import SettingsError


def share_batches(count: int, *, multiple: int, hosts: int = 1) -> None:
    """Let so many devices compute each batch together, each with a copy of the network; 1 leaves it to the backend.

    The loss is that of one device, but for rounding: sums go over all devices, those of batch normalisation too.
    multiple: `train.batch_multiple`. Raise SettingsError with another backend than JAX, where there are fewer
    devices, where the batches cannot be cut into equal parts, and where several hosts leave devices out.
    """
    if count == 1 and hosts == 1:
        return
    backend = keras.backend.backend()
    if backend != "jax":
        raise SettingsError(
            f"--devices {count} needs JAX, and the backend is {backend}, for which Keras cannot do it: "
            f"KERAS_BACKEND=jax legible train --devices {count}"
        )
    devices = keras.distribution.list_devices()
    if len(devices) < count:
        raise SettingsError(f"--devices {count}: JAX sees {len(devices)} here ({', '.join(map(str, devices))})")
    if hosts > 1 and count != len(devices):
        raise SettingsError(f"--devices {count}: {hosts} hosts have {len(devices)} together; all of them take part")
    if multiple % count:
        raise SettingsError(
            f"--devices {count}: batches hold a multiple of {multiple} samples; set train.batch_multiple to {count}"
        )
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices[:count]))
