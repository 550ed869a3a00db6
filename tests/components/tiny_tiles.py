"""A real folder of small tiles, with a pattern a network can learn: three classes of other colour and texture."""

import datetime as dt
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from components.tiler.index import make_table, number_tiles
from eartheye.contracts import Architecture, ClassSpec, Curated, ImageSpec, LabelSet, ModelPackage, Provenance, Sensor, Tiles
from eartheye.store import Folder
from eartheye.tiles import ShardWriter, encode
from models.vit import SIZES, VisionTransformer
from models.weights import save_weights

CLASSES = (
    ClassSpec(value=1, name="field", colour="#e3c565"),
    ClassSpec(value=2, name="lake", colour="#2f6fb7"),
    ClassSpec(value=4, name="wood", colour="#1e6b2f"),
)
COLOURS = np.array([[0, 0, 0], [170, 150, 90], [30, 60, 120], [0, 0, 0], [40, 90, 40]], np.float64)
GRAIN = np.array([0, 25, 3, 0, 15], np.float64)
CRS = "EPSG:32650"


def draw_tile(site, quarter, side):
    """Two classes on either side of an edge that the site decides; the colours change with the quarter."""
    site_rng, rng = np.random.default_rng([1, site]), np.random.default_rng([2, site, quarter])
    first, second = site_rng.permutation([1, 2, 4])[:2]
    edge = site_rng.choice([side // 4, side - side // 4])
    mask = np.full((side, side), first, np.uint8)
    mask[:, edge:] = second
    if site_rng.random() < 0.5:
        mask = mask.T.copy()
    pixels = COLOURS[mask] * (0.8 + 0.1 * quarter) + rng.normal(size=(side, side, 1)) * GRAIN[mask][..., None]
    return pixels.clip(0, 255).astype(np.uint8).transpose(2, 0, 1), mask


def write_tiles(root, *, sites=12, quarters=4, side=84, sites_of_group=2, channels=("red", "green", "blue"), gsd_m=1.0, masks=True):
    """Fill a folder of tiles; a site's group is its number over `sites_of_group`."""
    folder, rows = Folder(root), []
    with ShardWriter(folder, 2**28) as writer:
        for site in range(sites):
            for quarter in range(quarters):
                pixels, mask = draw_tile(site, quarter, side)
                valid = np.ones((side, side), bool)
                valid[: side // 10, : site % 3] = False
                key = f"{len(rows):08d}"
                records = {key: encode(pixels, valid)} | ({f"{key}/cover": encode(mask[None])} if masks else {})
                left = 500_000.0 + 2000 * site
                rows.append(
                    {
                        "site": site,
                        "source": f"scene-{quarter}",
                        "sensor": "camera",
                        "acquired": dt.date(2023, 3 * quarter + 2, 1),
                        "quarter": f"2023Q{quarter + 1}",
                        "shard": writer.add(records),
                        "key": key,
                        "height": side,
                        "width": side,
                        "gsd_m": gsd_m,
                        "valid": float(valid.mean()),
                        "clear": 1.0,
                        "sharpness": 1.0,
                        "entropy_bit": 5.0,
                        "label": CLASSES[[1, 2, 4].index(int(np.bincount(mask.ravel()).argmax()))].name,
                        "label_sets": ["cover"] if masks else [],
                        "group": f"block-{site // sites_of_group}",
                        "pretrain": True,
                        "crs": CRS,
                        "transform": [1.0, 0.0, left, 0.0, -1.0, 3_300_000.0],
                        "licence": "CC0",
                        "attribution": "nobody",
                        "rejected": None,
                    }
                )
        rows.append({"site": sites, "source": "corrupt", "group": "block-0", "rejected": "unreadable"})
        shards = writer.finish()
    with folder.create("tiles.parquet") as file:
        pq.write_table(number_tiles([make_table(rows)]), file)
    sensor = Sensor(
        name="camera",
        bands=("red", "green", "blue"),
        channels=channels,
        dtype="uint8",
        mean=(90.0, 95.0, 80.0),
        std=(60.0, 45.0, 40.0),
        gsd_m=gsd_m,
    )
    label_sets = (LabelSet(name="cover", classes=CLASSES, smallest_width_m=None, tiles=len(rows) - 1),) if masks else ()
    Tiles(
        made_from=f"{sites}/{quarters}/{side}/{channels}/{gsd_m}/{masks}",
        index=folder.bulk("tiles.parquet"),
        shards=shards,
        sensors=(sensor,),
        label_sets=label_sets,
        chip_px=side,
        count=len(rows) - 1,
        rejected=1,
        attribution=("nobody",),
    ).finish(folder)
    return folder


def write_curated(root, tiles, dropped=()):
    """Keep every tile that was cut but these."""
    folder, count = Folder(root), Tiles.read(tiles).count
    table = pa.table({"tile": np.arange(count), "keep": ~np.isin(np.arange(count), dropped)})
    with folder.create("curated.parquet") as file:
        pq.write_table(table, file)
    manifest = Curated(
        made_from=f"{sorted(dropped)}",
        table=folder.bulk("curated.parquet"),
        kept=count - len(dropped),
        dropped={"low quality": len(dropped)},
        clusters=1,
    )
    manifest.finish(folder)
    return folder


def write_backbone(root, tiles, *, bands=("red", "green", "blue"), gsd_range_m=(1.0, 3.0), seed=0, network=None):
    """A finished backbone and its history, as the pretrainer leaves it; with weights of chance where no network is given."""
    folder, spec = Folder(root), SIZES["nano"]
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as scratch:
        save_weights(network or VisionTransformer(spec, 56), Path(scratch) / "model.safetensors")
        folder.upload("model.safetensors", Path(scratch) / "model.safetensors")
    history = {"loss": [2.0, 1.0], "teacher_entropy": [3.0, 2.5], "feature_std": [0.9, 0.8]}
    for name, table in (("history.parquet", history), ("split.parquet", {"tile": [0, 1, 2], "part": ["train"] * 3})):
        with folder.create(name) as file:
            pq.write_table(pa.table(table), file)
    package = ModelPackage(
        made_from=f"{seed}",
        title="backbone-nano",
        task="backbone",
        architecture=Architecture(name="vit-nano/14", backbone=asdict(spec), image_px=56),
        weights=folder.bulk("model.safetensors"),
        image=ImageSpec(bands=bands, dtype="uint8", mean=(0,) * 3, std=(1,) * 3, gsd_m=1.0, gsd_range_m=gsd_range_m),
        input_px=56,
        split=folder.bulk("split.parquet"),
        provenance=Provenance(trained_on=(Tiles.read(tiles).digest,), code="0", licence=("CC0",), attribution=("nobody",)),
    )
    package.finish(folder)
    return folder
