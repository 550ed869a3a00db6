"""Cutting one part: its shards, its index, and a manifest that says it is done."""

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow.parquet as pq

from components.tiler.config import TilerConfig
from components.tiler.index import make_table
from components.tiler.moments import Moments
from components.tiler.quality import measure
from components.tiler.sample import Sample
from eartheye.contracts import Manifest
from eartheye.store import Bulk, Folder
from eartheye.telemetry import get_logger
from eartheye.tiles import ShardWriter, encode

MEGABYTE = 10**6
AHEAD = 4
"""Tiles read ahead of the writer, for each thread that encodes."""
log = get_logger("tiler")


class TilePart(Manifest):
    """Tiles of one part; the columns of its index are those of `Tiles`, its `tile` and missing `site` still to be numbered."""

    kind: Literal["tile-part/1"] = "tile-part/1"
    index: Bulk
    shards: tuple[Bulk, ...]
    moments: dict[str, Moments]
    """Of the pixels of the tiles, by sensor."""


@dataclass(frozen=True)
class Encoded:
    """A tile ready to be written."""

    row: dict[str, Any]
    records: dict[str, bytes]
    """The image under an empty name, the masks under `/` and the label set's name; nothing for a rejected tile."""
    moments: Moments | None


def cut_part(samples: Iterable[Sample], bands: dict[str, tuple[str, ...]], config: TilerConfig, folder: Folder, made_from: str) -> TilePart:
    """Write the tiles of a part. Of two processes that do the same part at once, the manifest of the first stands.

    Args:
        samples: what was read, in order.
        bands: names of the bands of each sensor.
        config: how tiles are cut.
        folder: of the part.
        made_from: digest of what the part is made from.

    Raises:
        StoreFull: there is no room.
    """
    rows: list[dict[str, Any]] = []
    moments: dict[str, Moments] = {}
    with ShardWriter(folder, config.shard_mb * MEGABYTE) as writer:
        for encoded in encode_samples(samples, bands, config):
            row = encoded.row
            if encoded.moments:
                key = f"{len(rows):08d}"
                row |= {"shard": writer.add({key + name: data for name, data in encoded.records.items()}), "key": key}
                sensor = row["sensor"]
                moments[sensor] = moments[sensor] + encoded.moments if sensor in moments else encoded.moments
            rows.append(row)
        shards = writer.finish()
    _tell(rows)
    with folder.create("index.parquet") as file:
        pq.write_table(make_table(rows), file)
    part = TilePart(made_from=made_from, index=folder.bulk("index.parquet"), shards=shards, moments=moments)
    if not folder.create_once(TilePart.name, part.model_dump_json(indent=2).encode()):
        return TilePart.read(folder)
    return part


def _tell(rows: list[dict[str, Any]]) -> None:
    """Warn of what was rejected, by source and reason."""
    rejected = Counter((row["source"], row["rejected"]) for row in rows if row.get("rejected"))
    for (source, reason), count in rejected.items():
        log.warning("tiles rejected", source=source, reason=reason, count=count)


def encode_sample(sample: Sample, bands: dict[str, tuple[str, ...]], config: TilerConfig) -> Encoded:
    """Judge what was read, and turn it into bytes unless it is rejected."""
    row = dict(sample.facts)
    if sample.pixels is None or sample.valid is None:
        return Encoded(row, {}, None)
    row["valid"] = float(sample.valid.mean())
    if not sample.valid.any():
        row["rejected"] = "no data"
    elif row["valid"] < config.min_valid_share:
        row.setdefault("rejected", "too little valid")
    if row.get("rejected"):
        return Encoded(row, {}, None)
    row |= vars(measure(sample.pixels, sample.valid, bands[row["sensor"]]))
    names = sorted(sample.masks, key=str.encode)
    records = {"": encode(sample.pixels, sample.valid)} | {f"/{name}": encode(sample.masks[name][None]) for name in names}
    return Encoded(row | {"label_sets": names}, records, Moments.of(sample.pixels, sample.valid))


def encode_samples(samples: Iterable[Sample], bands: dict[str, tuple[str, ...]], config: TilerConfig) -> Iterator[Encoded]:
    """Yield what `encode_sample` makes of each, in order; several threads do it while the next samples are read."""
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads, thread_name_prefix="tiles") as pool:
        ahead: deque[Future[Encoded]] = deque()
        for sample in samples:
            ahead.append(pool.submit(encode_sample, sample, bands, config))
            if len(ahead) >= AHEAD * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
