"""The bundles of one worker process by name: opened at the start or when first asked for, and replaced while it reads.

A request keeps the model that it began with, so a replaced one ends what it has begun, and then is let go.
"""

import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from legible.config import ServiceSettings
from legible.errors import BundleError, LegibleError, SettingsError
from legible.reading import Reading
from legible.recognition.bundle import Bundle, load_bundle, read_manifest
from legible.recognition.named_bundles import folder_of_model, named_bundles
from legible.recognition.recalibration import LiveRecalibration
from legible.recognition.recognizer import STEP_IMAGES
from legible.service import metrics
from legible.service.batching import BatchQueue, EventLoopQueue
from legible.service.read_job import ReadJob
from legible.service.reload_board import ReloadBoard
from legible.service.service_logs import ServiceLogs
from legible.service.telemetry import Telemetry
from legible.service.worker import Worker

log = logging.getLogger(__name__)


class ServedModel:
    """One bundle in service: its worker, its telemetry, and the queues of the work of both."""

    def __init__(
        self,
        name: str,
        bundle: Bundle,
        worker: Worker,
        telemetry: Telemetry,
        event_loop: EventLoopQueue,
        *,
        recalibration: LiveRecalibration | None = None,
    ) -> None:
        self.name = name
        self.bundle = bundle
        """The bundle in this model's own folder: the worker may be shared with a model of another folder."""
        self._recalibration = recalibration
        self.worker = worker
        self.telemetry = telemetry
        self.reading = BatchQueue(event_loop, worker.read)
        self.observing = BatchQueue(
            event_loop, telemetry.observe, max_items=2 * STEP_IMAGES
        )  # more than is read between

    def answered(self, job: ReadJob, reading: Reading) -> Reading:
        """Return a reading with the confidence of this deployment; one that several voted on stays as it is."""
        if job.bundle or self._recalibration is None:
            return reading
        return self._recalibration.of_reading(reading, with_lexicon=bool(job.decoding.lexicon))


class ModelRegistry:
    """The models that are served, by name; the first is the default."""

    def __init__(
        self,
        folders: Mapping[str, Path],
        settings: ServiceSettings,
        logs: ServiceLogs,
        *,
        worker: str,
        board: ReloadBoard | None = None,
    ) -> None:
        """Check all bundles, and open them, or with `settings.lazy_bundles` the default one alone."""
        self.names = tuple(folders)
        self.default = self.names[0]
        self.logs = logs
        self._folders = dict(folders)
        self._settings = settings
        self.worker_name = worker
        self._board = board or ReloadBoard(None)
        self._lags: dict[str, str] = {}
        """Why a model is not the one that was announced, as it was logged."""
        self._event_loop = EventLoopQueue()
        self._changing = threading.Lock()
        self._bundles = {name: load_bundle(folder) for name, folder in folders.items()}
        self._models: dict[str, ServedModel] = {}
        early = {self.default, settings.candidate} if settings.lazy_bundles else set(self.names)
        for name in self.names:
            if name in early:
                self.open(name)
        if self.is_behind:
            self.catch_up()

    def get(self, name: str) -> ServedModel | None:
        """Return a model; None for one that was not asked for yet."""
        return self._models.get(name)

    def bundle(self, name: str) -> Bundle:
        return self._bundles[name]

    def open(self, name: str) -> ServedModel:
        """Return a model, and open its bundle where that was not done. It waits for no reload where it was."""
        if (model := self._models.get(name)) is not None:
            return model
        with self._changing:
            if name not in self._models:
                self._put(self._served(name, self._bundles[name]), self._bundles[name])
            return self._models[name]

    def reload(self, name: str) -> Bundle:
        """Replace a model by the bundle that its folder holds now, in all workers, and return that.

        Raise BundleError or SettingsError for a bundle that cannot be served, AnnouncementError where the other workers
        cannot be told; then the former one goes on in all of them.
        """
        with self._board.turn(), self._changing:
            bundle = load_bundle(self._folders[name])
            model = self._replacement(name, bundle)
            self._board.announce(name, bundle.id, known=self.names)
            self._replace(model, bundle)
        return bundle

    @property
    def is_behind(self) -> bool:
        """Whether a bundle was announced that this worker has not looked for yet, or not for a while."""
        return self._board.has_news

    def catch_up(self) -> None:
        """Replace the models by the bundles that were announced; one that fails here goes on, and is tried again."""
        with self._changing:
            news = self._board.news()
            behind = [name for name in self.names if name in news and not self._follow(name, news[name])]
            if behind:
                self._board.postpone()
            else:
                self._board.settle()

    def _follow(self, name: str, announced: str) -> bool:
        """Replace a model by the bundle that was announced, and no other; return whether that is served now."""
        if self._bundles[name].id != announced:
            try:
                bundle = self._announced(name, announced)
                self._replace(self._replacement(name, bundle), bundle)
            except (LegibleError, OSError) as error:
                self._log_lag(name, f"{error}; bundle {self._bundles[name].id} goes on in this worker")
                return False
        self._lags.pop(name, None)
        return True

    def _announced(self, name: str, announced: str) -> Bundle:
        """Load the bundle that was announced. Raise BundleError where the folder holds another by now."""
        folder = self._folders[name]
        found = read_manifest(folder).bundle_id  # before the sums, which take longer
        if found == announced:
            bundle = load_bundle(folder)
            if bundle.id == announced:
                return bundle
            found = bundle.id
        raise BundleError(f"{folder} holds bundle {found}, and {announced} was announced; reload the model")

    def _log_lag(self, name: str, reason: str) -> None:
        """Log why a model lags behind, once until there is another reason."""
        if self._lags.get(name) != reason:
            self._lags[name] = reason
            log.warning("model %s: %s", name, reason)

    def _replacement(self, name: str, bundle: Bundle) -> ServedModel | None:
        """Return a bundle opened; None where the model is served by it already."""
        return None if bundle.id == self._bundles[name].id else self._served(name, bundle)

    def _replace(self, model: ServedModel | None, bundle: Bundle) -> None:
        if model is not None:
            former = self._bundles[model.name]
            self._put(model, bundle)
            metrics.bundle_info.labels(former.id, model.name).set(0)

    def _put(self, model: ServedModel, bundle: Bundle) -> None:
        model.telemetry.state()
        self._bundles[model.name], self._models[model.name] = bundle, model

    def _served(self, name: str, bundle: Bundle) -> ServedModel:
        """Return a bundle opened. What it reads with is shared with the models that serve the same bundle."""
        twin = next((model for model in self._models.values() if model.worker.bundle_id == bundle.id), None)
        try:
            worker = twin.worker if twin else Worker(bundle, self._settings, worker=self.worker_name)
            telemetry = Telemetry(bundle, self._settings, self.logs, model=name)
            folder = folder_of_model(self._settings.recalibration, name)
            recalibration = LiveRecalibration(Path(folder) if folder else None, bundle=bundle.id)
        except (BundleError, SettingsError):
            raise
        except (LegibleError, ValueError, RuntimeError, OSError, KeyError) as error:
            raise BundleError(f"{bundle.folder}: the bundle cannot be opened ({error}); pack it again") from error
        return ServedModel(name, bundle, worker, telemetry, self._event_loop, recalibration=recalibration)


def folders_of(settings: ServiceSettings) -> dict[str, Path]:
    """Return the folder of each model that these settings serve."""
    return named_bundles(settings.bundles, single=os.environ.get("LEGIBLE_BUNDLE", ""))


def open_models(settings: ServiceSettings, *, worker: str) -> ModelRegistry:
    """Open the models of one worker process."""
    board = ReloadBoard.of_service()  # before the bundles: what is replaced meanwhile is news
    return ModelRegistry(
        folders_of(settings), settings, ServiceLogs(settings, worker=worker), worker=worker, board=board
    )
