"""Joining the parts into one folder of tiles."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.tiler.config import TilerConfig
from components.tiler.index import SCHEMA, make_table, number_tiles
from components.tiler.moments import Moments
from components.tiler.part import TilePart
from components.tiler.plan import Part, SitesPart
from components.tiler.sample import TOO_LARGE
from components.tiler.survey import Survey
from eartheye.contracts import Catalogue, LabelSet, Sensor, Tiles
from eartheye.contracts.catalogue import RasterLabels
from eartheye.errors import NotEnoughTiles, TargetTooLarge
from eartheye.store import Bulk, Folder


def left_out(catalogue: Catalogue, found: Survey, sites: pd.DataFrame, parts: list[Part]) -> list[dict[str, Any]]:
    """Return rows for what no part has: scenes that cannot be opened, of which nobody knows what they show, and sites no scene shows."""
    rows = []
    for number, why in found.refused.items():
        entry = catalogue.scenes[number]
        licence, attribution = catalogue.terms(entry)
        known = entry.model_dump(include={"sensor", "acquired", "quarter", "pretrain"})
        rows.append(known | {"source": entry.path, "group": entry.path, "licence": licence, "attribution": attribution, "rejected": why})
    shown = [part.visits["site"] for part in parts if isinstance(part, SitesPart)]
    missed = sites if not shown else sites[~sites["site"].isin(pd.concat(shown))]
    rows += [{"site": site, "group": group, "rejected": "no coverage"} for site, group in zip(missed["site"], missed["group"], strict=True)]
    return rows


def merge_parts(
    parts: list[tuple[Folder, TilePart]],
    rejections: list[dict[str, Any]],
    catalogue: Catalogue,
    found: Survey,
    config: TilerConfig,
    tiles: Folder,
    made_from: str,
) -> Tiles:
    """Number the tiles, write their index and finish the folder; shards stay where their parts wrote them.

    Args:
        parts: folder and manifest of each part, in order.
        rejections: rows of the index that no part has.
        catalogue: what lies in the data folder.
        found: what was found of it.
        config: how tiles were cut.
        tiles: the folder to finish.
        made_from: digest of what the tiles are made from.

    Raises:
        TargetTooLarge: nothing was cut, for tiles are larger than scenes.
        NotEnoughTiles: nothing was cut.
    """
    tables: list[pa.Table] = []
    shards: list[Bulk] = []
    for folder, part in parts:
        with folder.open(part.index) as file:
            table = pq.read_table(file, schema=SCHEMA)
        shard = pa.array(table["shard"].to_pandas().astype("Int32") + len(shards), pa.int32())
        tables.append(table.set_column(SCHEMA.get_field_index("shard"), "shard", shard))
        inside = folder.root.removeprefix(f"{tiles.root}/")
        shards += [Bulk(name=f"{inside}/{bulk.name}", size=bulk.size, sha256=bulk.sha256) for bulk in part.shards]
    index = number_tiles([*tables, make_table(rejections)])
    frame = index.drop_columns(["geometry"]).to_pandas()
    cut = frame[frame["rejected"].isna()]
    if cut.empty:
        raise nothing_cut(frame["rejected"].to_list())

    with tiles.create("tiles.parquet") as file:
        pq.write_table(index, file)
    labelled = cut["label_sets"].explode().value_counts()
    return Tiles(
        made_from=made_from,
        index=tiles.bulk("tiles.parquet"),
        shards=tuple(shards),
        sensors=_sensors(catalogue, found, [part for _, part in parts], cut),
        label_sets=tuple(
            LabelSet(
                name=labels.name,
                classes=labels.classes,
                smallest_width_m=labels.smallest_width_m if isinstance(labels, RasterLabels) else None,
                tiles=int(labelled.get(labels.name, 0)),
            )
            for labels in catalogue.labels
        ),
        chip_px=config.chip_px,
        count=len(cut),
        rejected=len(frame) - len(cut),
        attribution=tuple(dict.fromkeys(cut["attribution"])),
    ).finish(tiles)


def _sensors(catalogue: Catalogue, found: Survey, parts: list[TilePart], cut: pd.DataFrame) -> tuple[Sensor, ...]:
    """Return the sensors that have tiles, in the order of the catalogue."""
    moments: dict[str, Moments] = {}
    for part in parts:
        for name, more in part.moments.items():
            moments[name] = moments[name] + more if name in moments else more
    entries = {entry.sensor: entry for entry in (*catalogue.scenes, *catalogue.images)}
    sensors = []
    for name, entry in entries.items():
        if name not in moments:
            continue
        gsd_m = cut.loc[cut["sensor"] == name, "gsd_m"].dropna()
        sensors.append(
            Sensor(
                name=name,
                bands=entry.bands,
                channels=entry.channels,
                dtype=found.dtypes[name],  # the survey refuses other types
                mean=moments[name].mean,
                std=moments[name].std,
                gsd_m=None if gsd_m.empty else round(float(np.median(gsd_m)), 6),
            )
        )
    return tuple(sensors)


def nothing_cut(reasons: Sequence[str]) -> NotEnoughTiles | TargetTooLarge:
    """Return the error that says why there is no tile at all; `reasons` are those of each rejection."""
    if large := next((reason for reason in reasons if reason.startswith(TOO_LARGE)), None):
        return TargetTooLarge(f"no tile could be cut: {large}, or chip_px smaller for all")
    why = in_short(reasons) or "there are no sites, no scenes and no images"
    return NotEnoughTiles(f"no tile could be cut ({why}): draw sites where the scenes are, or look at the imagery")


def in_short(reasons: Sequence[str]) -> str:
    """Count the rejections by reason, without the details."""
    counts = Counter(reason.partition(":")[0] for reason in reasons)
    return ", ".join(f"{count} x {reason}" for reason, count in counts.items())
