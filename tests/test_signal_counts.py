"""What the service counts for the drift rules: ranks by channel, unusual images, documents, all by model."""

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from drawn_words import inverted, observed, words_drawn
from prometheus_client import REGISTRY
from test_documents import receipts, trained

from legible.config import ServiceSettings
from legible.drift.documents import DocumentCounts
from legible.drift.reference import Reference
from legible.drift.summary import image_ranks, ranked_by
from legible.drift.unusual import Distance, UnusualRule
from legible.observations.origin import digest
from legible.observations.row import Observation
from legible.service import metrics
from legible.service.document_table import DocumentTable
from legible.service.signal_counts import ALL, MAX_RANK_CHANNELS, RankChannels, SignalCounts, grouped


def counter(reference: Reference, model: str) -> SignalCounts:
    metrics.prepare_ranks(model, reference, channels=("mobile", "other"))
    metrics.prepare_model(model, channels=())
    return SignalCounts(reference, DocumentTable(None), random.Random(1), model=model)


def with_unusual_rule() -> Reference:
    ranked = image_ranks(trained(), ranked_by(trained(), receipts(60, seed=2), np.random.default_rng(1)))
    distance = Distance.of(ranked)
    return replace(trained(), unusual=UnusualRule(distance, distance.point(ranked), 8.0, 100.0, 0.3))


def digested(rows: Sequence[Observation]) -> list[Observation]:
    return [replace(row, document=digest(row.document, b"key")) for row in rows]


def value(name: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(name, labels)
    assert found is not None
    return found


def rows_of(channels: Sequence[str]) -> list[Observation]:
    (row,) = observed(words_drawn(1, seed=1))
    return [replace(row, channel=channel) for channel in channels]


def test_without_configured_channels_all_ranks_are_counted_together() -> None:
    channels = RankChannels(ServiceSettings.channels)
    assert channels.names == (ALL,)
    assert list(grouped(rows_of(["default", "other"]), channels.of)) == [ALL]


def test_a_configured_channel_has_ranks_of_its_own_and_the_rest_is_other() -> None:
    channels = RankChannels(("mobile", "scanner"))
    assert channels.names == ("mobile", "scanner", "other")
    assert [channels.of(row) for row in rows_of(["mobile", "other", "page"])] == ["mobile", "other", "other"]


def test_the_number_of_channels_with_ranks_is_bounded() -> None:
    channels = RankChannels([f"c{i}" for i in range(100)])
    assert len(channels.names) == MAX_RANK_CHANNELS + 1
    assert channels.of(rows_of(["c99"])[0]) == "other"


def test_inverted_images_are_counted_as_unusual_in_their_channel() -> None:
    counts = counter(with_unusual_rule(), "unusual")
    usual, odd = digested(receipts(20, seed=3)), digested(receipts(20, seed=4, shift=8.0))
    counts.count("mobile", usual)
    counts.count("other", odd)
    few = value("legible_unusual_images_total", channel="mobile", model="unusual")
    assert few < 0.1 * len(usual)
    assert value("legible_unusual_images_total", channel="other", model="unusual") > 0.9 * len(odd)
    assert value("legible_image_statistic_count", channel="mobile", model="unusual", statistic="entropy") == len(usual)


def test_documents_give_the_bunching_that_the_report_counts() -> None:
    rows = digested(receipts(30, seed=3))
    counter(trained(), "bunched").count("mobile", rows)
    counts = DocumentCounts()
    counts.add([row.document for row in rows])
    pairs = value("legible_document_pairs_total", channel="mobile", model="bunched")
    assert 1 + pairs / len(rows) == pytest.approx(counts.bunching, rel=0.02)
    assert value("legible_documents_total", model="bunched") == 30


def test_images_that_name_no_document_count_as_bunched_as_the_baselines() -> None:
    rows = [replace(row, document="") for row in receipts(10, seed=3)]
    counter(replace(trained(), bunching=12.5), "untold").count("mobile", rows)
    pairs = value("legible_document_pairs_total", channel="mobile", model="untold")
    assert 1 + pairs / len(rows) == pytest.approx(12.5)


def test_a_reading_with_another_lexicon_is_compared_by_its_image_alone() -> None:
    counts = counter(trained(), "lexicon")
    counts.count("mobile", [replace(row, lexicon="english") for row in observed(inverted(words_drawn(3, seed=1)))])
    assert value("legible_image_statistic_count", channel="mobile", model="lexicon", statistic="entropy") == 3
    assert value("legible_prediction_signal_count", channel="mobile", model="lexicon", signal="confidence") == 0
