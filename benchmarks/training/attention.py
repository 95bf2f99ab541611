"""CTC beside an attention decoder: the same encoder on the same samples for the same time.

    python benchmarks/training/attention.py                 (--minutes 30 --size small --data data/dataset)
    python benchmarks/training/attention.py --minutes 1     shows that it works, and no more

Trains both from nothing, one after the other, for so many minutes each on this machine; the learning rate follows the
clock. Then reads words, long words and lines of `validation`, generated and of IAM, both in float32 by TensorFlow, an
image at a time on one thread. Prints a table: exact match, CER, milliseconds an image, and memory that reading adds.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import numpy as np
import psutil

from legible.charset import Charset
from legible.config import TrainParams, load_params
from legible.ctc.decode import best_path_text
from legible.data.dataset import Dataset, Sample
from legible.network.attention import AttentionReader, build_attention_reader, moved_on
from legible.network.normalization import update_batch_norm
from legible.network.zoo import STRIDE, build_network, size_named
from legible.scores import cer, exact_match
from legible.training.batches import (
    Batch,
    Planner,
    PreprocessingConfig,
    epoch_batches,
    make_batch,
    prepare_sample,
)
from legible.training.loop import learning_rate
from legible.training.preprocessing_pool import PreprocessingPool

PROJECT = Path(__file__).parents[2]
WORK = PROJECT / "work/attention"
MIXTURE = {
    "iam/word": 5.0, "iam/line": 1.0, "generated-print/word": 3.0, "generated-print/line": 0.5,
    "generated-handwriting/word": 2.0, "generated-handwriting/line": 0.3,
}  # fmt: skip
LONG_WORD = 9
"""The fewest letters of a long word."""
IMAGES = 300
"""The most images of a row."""
MAX_LENGTH = 100
SETTLING = 20
"""The batches from which the averages of batch normalisation are made anew in the end."""


@dataclass(frozen=True)
class Row:
    """One decoder on one set of images."""

    decoder: str
    images: str
    count: int
    exact_match: float
    cer: float
    milliseconds: float


class Ctc:
    """The encoder of a size with CTC on top."""

    name = "CTC"

    def __init__(self, size: str, charset: Charset, height: int) -> None:
        self.charset = charset
        self.model: keras.Model = build_network(size_named(size), labels=charset.size, height=height)

    def inputs(self, batch: Batch) -> dict[str, np.ndarray]:
        return {"image": batch.image, "mask": batch.mask}

    def settle(self, batches: Sequence[Batch]) -> None:
        update_batch_norm(self.model, [self.inputs(batch) for batch in batches])

    def read(self, batch: Batch) -> str:
        logits = np.asarray(self.model.predict_on_batch(self.inputs(batch)), np.float32)
        return best_path_text(logits[0, : int(batch.mask.sum()) // STRIDE], self.charset)


class Attention:
    """The encoder of a size with an attention decoder on top."""

    name = "attention"

    def __init__(self, size: str, charset: Charset, height: int) -> None:
        self.charset = charset
        self._reader: AttentionReader = build_attention_reader(size_named(size), labels=charset.size, height=height)
        self.model: keras.Model = self._reader.model

    def inputs(self, batch: Batch) -> dict[str, np.ndarray]:
        previous = moved_on(batch.labels, count=self.charset.size)
        return {"image": batch.image, "mask": batch.mask, "previous": previous}

    def settle(self, batches: Sequence[Batch]) -> None:
        update_batch_norm(self._reader.encoder, [{"image": one.image, "mask": one.mask} for one in batches])

    def read(self, batch: Batch) -> str:
        (labels,) = self._reader.texts(batch.image, batch.mask, max_length=MAX_LENGTH)
        return self.charset.decode(labels)


Reader = Ctc | Attention
READERS: dict[str, Callable[[str, Charset, int], Reader]] = {"CTC": Ctc, "attention": Attention}


def train(
    reader: Reader, samples: Sequence[Sample], params: TrainParams, config: PreprocessingConfig, seconds: float
) -> int:
    """Train for so long, with AdamW and a rate that follows the clock; return how many samples were seen."""
    optimizer = keras.optimizers.AdamW(params.learning_rate, weight_decay=params.weight_decay, global_clipnorm=2.0)
    reader.model.compile(optimizer=optimizer, jit_compile=False)
    planner, seen = Planner(samples, MIXTURE, seed=config.seed), 0
    last: list[Batch] = []
    started = time.monotonic()
    one_epoch = replace(params, epochs=1, warmup_epochs=0.03)
    with PreprocessingPool(samples, config, workers=1) as pool:
        for batch in _endless(planner, pool, params):
            progress = (time.monotonic() - started) / seconds
            if progress >= 1:
                break
            optimizer.learning_rate.assign(learning_rate(progress, one_epoch))
            loss = float(np.mean(reader.model.train_on_batch(reader.inputs(batch), batch.labels)))
            seen += batch.size
            last = [*last[-SETTLING + 1 :], batch]
            print(f"\r{reader.name}: {progress:.0%}, {seen} samples, loss {loss:.2f} ", end="", file=sys.stderr)
    print(file=sys.stderr)
    reader.settle(last)
    return seen


def _endless(planner: Planner, pool: PreprocessingPool, params: TrainParams) -> Iterator[Batch]:
    epoch = 0
    while True:
        plan = planner.plan(epoch, samples=params.epoch_samples)
        yield from epoch_batches(pool.prepared(plan, epoch=epoch), batch_columns=params.batch_columns)
        epoch += 1


def sets(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Return what is read: words, long words and lines, generated and of IAM."""
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        source, kind = sample.group.split("/")
        if sample.group in MIXTURE:
            where = "IAM" if source == "iam" else "generated"
            found.setdefault(f"{where}, {kind}s", []).append(sample)
            if kind == "word" and len(sample.text) >= LONG_WORD:
                found.setdefault(f"{where}, long words", []).append(sample)
    rng = np.random.default_rng(0)
    return {name: [own[i] for i in rng.permutation(len(own))[:IMAGES]] for name, own in sorted(found.items())}


def rows(reader: Reader, read: dict[str, list[Sample]], config: PreprocessingConfig) -> Iterator[Row]:
    plain, rng = replace(config, strength=0.0), np.random.default_rng(0)
    for name, samples in read.items():
        examples = [prepare_sample(sample, plain, rng) for sample in samples]
        batches = [make_batch([one], width=one.padded_width) for one in examples]
        for width in {batch.image.shape[2] for batch in batches}:  # each width is compiled before it is timed
            reader.read(next(batch for batch in batches if batch.image.shape[2] == width))
        started = time.process_time()
        texts = [reader.read(batch) for batch in batches]
        milliseconds = 1000 * (time.process_time() - started) / len(samples)
        truths = [sample.text for sample in samples]
        yield Row(
            reader.name, name, len(samples), exact_match(truths=truths, predictions=texts),
            cer(truths=truths, predictions=texts), milliseconds,
        )  # fmt: skip


def measure(decoder: str, asked: argparse.Namespace) -> None:
    """Train and read with one decoder in this process, and print its rows as JSON."""
    keras.utils.set_random_seed(1)
    params = load_params(PROJECT / "params.yaml")
    train_params = replace(params.train, batch_columns=4096, learning_rate=0.002, weight_decay=0.01)
    charset = params.charset.build()
    config = PreprocessingConfig(charset, train_params.height, STRIDE, 0.5, params.seed, train_params.normalization)
    data = Dataset.open(asked.data)
    samples = [one for one in data.samples(split="train") if one.group in MIXTURE]
    reader = READERS[decoder](asked.size, charset, train_params.height)
    parameters = reader.model.count_params()
    seen = train(reader, samples, train_params, config, seconds=60 * asked.minutes)
    del samples
    before = psutil.Process().memory_info().rss
    found = list(rows(reader, sets(list(data.samples(split="validation"))), config))
    added = (psutil.Process().memory_info().rss - before) / 2**20
    content = {"parameters": parameters, "seen": seen, "mebibytes": added, "rows": [asdict(row) for row in found]}
    print(json.dumps(content))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--size", default="small")
    parser.add_argument("--data", type=Path, default=PROJECT / "data/dataset")
    parser.add_argument("--decoder", choices=sorted(READERS), help="this one alone, as JSON")
    asked = parser.parse_args()
    if asked.decoder:
        measure(asked.decoder, asked)
        return
    results = {}
    print("| decoder | images | exact match | CER | ms of CPU an image |\n|---|---|---|---|---|")
    for decoder in READERS:
        ran = subprocess.run(
            [sys.executable, *sys.argv, "--decoder", decoder], stdout=subprocess.PIPE, text=True, check=True
        )
        results[decoder] = found = json.loads(ran.stdout.splitlines()[-1])
        for row in (Row(**one) for one in found["rows"]):
            print(
                f"| {row.decoder} | {row.count} {row.images} | {row.exact_match:.1%} | {row.cer:.1%} | "
                f"{row.milliseconds:.1f} |",
                flush=True,
            )
        effort = f"{found['parameters']:,} parameters, {found['seen']} samples seen, {found['mebibytes']:.0f} MiB"
        print(f"| {decoder} | {effort} | | | |")
    (PROJECT / "benchmarks/attention.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
