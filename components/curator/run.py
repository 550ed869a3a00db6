"""The curating step: tiles in, a decision about each out."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.curator.clusters import cluster, redundant
from components.curator.config import CuratorConfig
from components.curator.descriptors import blocks
from components.curator.duplicates import find_copies
from components.curator.looks import Looks, look_at
from components.curator.quality import poor
from eartheye.contracts import Curated, Tiles, digest
from eartheye.errors import NotEnoughTiles
from eartheye.store import Folder
from eartheye.telemetry import progress_of
from eartheye.tiles import TileSet

STEP = "curator/1"
COPY, REDUNDANT = "near duplicate", "redundant"


def curate(tiles: Folder, config: CuratorConfig, curated: Folder) -> Curated:
    """Choose the tiles for pretraining. A folder that is finished already is returned as it is.

    Poor tiles are dropped one by one. Whether a site is a copy of another, or one too many of its type, is decided for all acquisitions of
    a sensor at a site together, so that quarters stay together.

    Args:
        tiles: a finished folder of tiles.
        config: what is dropped.
        curated: where the decisions go.

    Raises:
        NotFinished: `tiles` is still to be made.
        NotEnoughTiles: nothing would be kept.
        ConflictingOutput: `curated` holds what another input or configuration made.
    """
    made_from = identify(tiles, config)
    if done := Curated.done(curated, made_from):
        return done

    tile_set = TileSet(tiles)
    table = sort_out(tile_set, config)
    clusters = 0
    for sensor, rows, looks in _look(tile_set, table[table["reason"].isna()], curated, made_from):
        reasons, cluster_of = _decide(rows, looks, len(tile_set.sensors[sensor].channels), config)
        table.loc[rows.index, "reason"] = reasons
        table.loc[rows.index, "cluster"] = np.where(cluster_of < 0, -1, cluster_of + clusters)
        clusters += int(cluster_of.max()) + 1
    with curated.create("curated.parquet") as file:
        pq.write_table(_decisions(table), file)
    return Curated(
        made_from=made_from,
        table=curated.bulk("curated.parquet"),
        kept=int(table["reason"].isna().sum()),
        dropped=dropped_of(table),
        clusters=clusters,
    ).finish(curated)


def identify(tiles: Folder, config: CuratorConfig) -> str:
    """Return the digest of what decides the decisions."""
    return digest(STEP, config, Tiles.read(tiles).digest)


def sort_out(tiles: TileSet, config: CuratorConfig) -> pd.DataFrame:
    """Return a row for each tile that was cut, with the reason for which a poor one is dropped.

    Raises:
        NotEnoughTiles: all are poor. Of others some are always kept: the first of several copies, and a share of each type.
    """
    table = tiles.cut[["tile", "shard", "sensor", "site", "entropy_bit"]].assign(reason=poor(tiles.cut, config), cluster=-1)
    if table["reason"].notna().all():
        why = ", ".join(f"{count} x {reason}" for reason, count in dropped_of(table).items())
        raise NotEnoughTiles(f"no tile would be kept ({why}): loosen the limits of the curator, or cut other tiles")
    return table


def dropped_of(table: pd.DataFrame) -> dict[str, int]:
    """Return how many tiles are dropped, by reason."""
    return {str(reason): int(count) for reason, count in table["reason"].value_counts().sort_index().items()}


def parts_of(good: pd.DataFrame, curated: Folder) -> Iterator[tuple[pd.DataFrame, Folder]]:
    """Yield the good tiles of each shard, and the folder that their looks go to."""
    for shard, rows in good.groupby("shard"):
        yield rows, curated / f"parts/{shard:05d}"


def _look(tiles: TileSet, good: pd.DataFrame, curated: Folder, made_from: str) -> Iterator[tuple[str, pd.DataFrame, Looks]]:
    """Yield each sensor with its good tiles, in the order of their shards, and what they look like."""
    with progress_of("looking at tiles", len(good)) as advance:
        for sensor, of_sensor in good.groupby("sensor", sort=False):
            parts = list(parts_of(of_sensor, curated))
            looks = [look_at(tiles, rows["tile"].to_numpy(), folder, made_from, advance) for rows, folder in parts]
            yield str(sensor), pd.concat([rows for rows, _ in parts]), Looks.joined(looks)


def _decide(rows: pd.DataFrame, looks: Looks, channels: int, config: CuratorConfig) -> tuple[NDArray[np.object_], NDArray[np.int32]]:
    """Decide about the good tiles of a sensor, site by site.

    Returns:
        (N,) why a tile is dropped, None where it is kept; (N,) its cluster, -1 for a copy.
    """
    site = rows["site"].to_numpy()
    reasons = np.full(len(site), None, dtype=object)
    cluster_of = np.full(len(site), -1, np.int32)
    copies = find_copies(looks.thumbnails, site, config.duplicate_correlation)
    rest = ~np.isin(site, list(copies))
    reasons[~rest] = COPY

    sites, number = np.unique(site[rest], return_inverse=True)
    acquisitions = np.bincount(number)
    mean = np.zeros((len(sites), looks.descriptors.shape[1]))
    np.add.at(mean, number, looks.descriptors[rest])
    mean /= acquisitions[:, None]
    entropy_bit = np.bincount(number, weights=rows["entropy_bit"].to_numpy(np.float64)[rest]) / acquisitions
    of_site = cluster(mean.astype(np.float32), blocks(channels), config.clusters, config.seed)
    cluster_of[rest] = of_site[number]
    too_many = redundant(of_site, sites, entropy_bit, config.max_cluster_excess, config.seed)
    reasons[np.flatnonzero(rest)[too_many[number]]] = REDUNDANT
    return reasons, cluster_of


def _decisions(table: pd.DataFrame) -> pa.Table:
    """Return the table of `Curated`."""
    cluster_of = table["cluster"].to_numpy()
    return pa.table(
        {
            "tile": pa.array(table["tile"], pa.int64()),
            "keep": pa.array(table["reason"].isna(), pa.bool_()),
            "reason": pa.array(table["reason"].to_list(), pa.string()),
            "cluster": pa.array(cluster_of, pa.int32(), mask=cluster_of < 0),
        }
    )
