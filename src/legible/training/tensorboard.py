"""The curves of a training for TensorBoard, beside those of DVCLive, where they are asked for."""

from pathlib import Path

from legible.errors import SettingsError
from legible.training.checkpoint import EpochFigures

PLUGIN = "scalars"
"""TensorBoard's name for what is drawn as a curve."""


class TensorBoardCurves:
    """Writes a file of events with a value for each epoch; TensorBoard itself need not be installed."""

    def __init__(self, folder: Path) -> None:
        try:
            import tensorflow as tf  # it writes events, whatever trains  # noqa: PLC0415
        except ImportError as error:
            raise SettingsError("TensorBoard's files are written by TensorFlow: pip install tensorflow-cpu") from error
        self._tf = tf
        self._writer = tf.summary.create_file_writer(str(folder))
        data = tf.compat.v1.SummaryMetadata.PluginData(plugin_name=PLUGIN)
        self._metadata = tf.compat.v1.SummaryMetadata(plugin_data=data)
        self._epochs = 0

    def log(self, figures: EpochFigures) -> None:
        """Write the figures of the next epoch; its number counts those of all phases."""
        self._epochs += 1
        values = {
            "loss": figures.loss,
            "learning_rate": figures.learning_rate,
            "tune/cer": figures.tune_cer,
            "tune/exact_match": figures.tune_exact,
        }
        with self._writer.as_default(step=self._epochs):
            for name, value in values.items():
                self._tf.summary.write(name, self._tf.constant(value, self._tf.float32), metadata=self._metadata)
        self._writer.flush()
