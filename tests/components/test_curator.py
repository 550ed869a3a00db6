import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from components.curator.clusters import cluster, redundant
from components.curator.config import CuratorConfig
from components.curator.descriptors import blocks, describe, thumbnail
from components.curator.duplicates import find_copies
from components.curator.looks import Looks
from components.curator.quality import poor
from components.curator.run import _decide, curate
from components.tiler.config import TilerConfig
from components.tiler.run import cut_tiles
from eartheye.contracts import Catalogue, Curated
from eartheye.contracts.catalogue import ImagesEntry
from eartheye.errors import ConflictingOutput, NotEnoughTiles, NotFinished
from eartheye.store import Folder

ALL = np.ones((64, 64), np.bool_)


def rows(**columns):
    count = max(len(values) for values in columns.values())
    good = {"sensor": "s", "valid": 1.0, "clear": 1.0, "entropy_bit": 6.0, "sharpness": 2.0, "pretrain": True}
    frame = pd.DataFrame({name: [value] * count for name, value in good.items()} | {"site": range(count)} | columns)
    return frame.astype({"clear": "float32"})


def reasons(**columns):
    return poor(rows(**columns), CuratorConfig()).tolist()


def test_poor_tiles_are_dropped_with_the_first_reason_that_holds():
    assert reasons(valid=[0.79, 0.8]) == ["too little valid", None]
    assert reasons(entropy_bit=[1.9, 2.0]) == ["low entropy", None]
    assert reasons(sharpness=[0.39, 0.4]) == ["blurred", None]
    assert reasons(pretrain=[False], valid=[0.0], entropy_bit=[0.0]) == ["not for pretraining"]


def test_cloud_is_what_is_bright_in_one_acquisition_and_not_in_another():
    assert reasons(site=[1, 1, 1], clear=[0.5, 1.0, 0.9]) == ["cloudy", None, None]


def test_what_another_sensor_sees_says_nothing_of_cloud():
    assert reasons(site=[1, 1], sensor=["s", "t"], clear=[0.5, 1.0]) == [None, None]


def test_ground_that_is_bright_in_every_acquisition_is_no_cloud_unless_nothing_else_is_seen():
    assert reasons(site=[1, 1, 2, 3], clear=[0.5, 0.4, 0.3, 0.05]) == [None, None, None, "cloudy"]


def test_what_cannot_be_told_is_not_held_against_a_tile():
    assert reasons(clear=[None, None]) == [None, None]


def towns(rng, size=64):
    """A picture with streets, roofs and gardens."""
    image = np.full((size, size, 3), 90, np.uint8)
    for _ in range(60):
        row, column, height, width = *rng.integers(0, size, 2), *rng.integers(3, 9, 2)
        image[row : row + height, column : column + width] = rng.integers(20, 255, 3)
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def water(rng, size=64):
    return np.clip(np.array([40, 70, 95]) + rng.normal(0, 3, (size, size, 3)), 0, 255).astype(np.uint8)


def seen(picture, valid=ALL):
    image = (picture.transpose(2, 0, 1).astype(np.float32) - 100) / 40
    image[:, ~valid] = 0
    return describe(image, valid)


def test_descriptors_do_not_change_when_the_picture_is_turned():
    picture, everywhere = towns(np.random.default_rng(0), 512), np.ones((512, 512), np.bool_)
    turned, upright = seen(np.rot90(picture).copy(), everywhere).descriptor, seen(picture, everywhere).descriptor
    assert sum(blocks(3)) == len(upright)
    assert np.allclose(turned, upright, atol=0.05)


def test_descriptors_look_only_at_pixels_with_data():
    picture, valid = water(np.random.default_rng(0)), ALL.copy()
    valid[:16] = False
    assert np.abs(seen(picture, valid).descriptor - seen(picture).descriptor).max() < 0.2
    assert np.isfinite(seen(picture, np.eye(64, dtype=np.bool_)).descriptor).all()


def test_small_and_flat_tiles_have_descriptors_too():
    for shape in ((1, 1), (2, 5), (20, 31)):
        one = describe(np.zeros((3, *shape), np.float32), np.ones(shape, np.bool_))
        assert np.isfinite(one.descriptor).all()
        assert one.thumbnail.tolist() == [128] * 1024


def test_a_thumbnail_is_the_mean_of_its_cells():
    image = np.kron(np.random.default_rng(0).normal(size=(32, 32)), np.ones((3, 3))).astype(np.float32)
    cells = image[::3, ::3]
    assert np.abs(thumbnail(image).reshape(32, 32) - np.clip(128 + 42 * (cells - cells.mean()) / cells.std(), 0, 255)).max() <= 0.51


def test_copies_are_found_though_brighter_or_compressed_and_the_first_stays():
    rng = np.random.default_rng(0)
    pictures = [towns(rng) for _ in range(40)]
    brighter = np.clip(pictures[3].astype(float) * 0.7 + 20 + rng.normal(0, 3, (64, 64, 3)), 0, 255).astype(np.uint8)
    thumbnails = np.stack([seen(picture).thumbnail for picture in [*pictures, brighter, pictures[7], pictures[7]]])
    assert find_copies(thumbnails, np.arange(100, 143), 0.98) == {140, 141, 142}
    alike = np.corrcoef(thumbnails[3], thumbnails[40])[0, 1]
    assert find_copies(thumbnails, np.arange(100, 143), alike - 1e-4) == {140, 141, 142}
    assert find_copies(thumbnails, np.arange(100, 143), alike + 1e-4) == {141, 142}


def test_acquisitions_of_one_site_are_no_copies_of_each_other():
    picture = seen(towns(np.random.default_rng(0))).thumbnail
    assert find_copies(np.stack([picture] * 4), np.array([1, 1, 2, 2]), 0.98) == {2}


def test_water_is_no_copy_of_other_water():
    rng = np.random.default_rng(0)
    thumbnails = np.stack([seen(water(rng)).thumbnail for _ in range(200)])
    assert find_copies(thumbnails, np.arange(200), 0.98) == set()


def test_clusters_part_what_looks_different():
    rng = np.random.default_rng(0)
    descriptors = np.stack([seen(picture(rng)).descriptor for picture in [towns] * 12 + [water] * 12])
    found = cluster(descriptors, blocks(3), 2, seed=0)
    assert found.tolist() == [0] * 12 + [1] * 12


def test_each_block_of_a_descriptor_counts_the_same():
    """One number parts the sites one way, a block of many numbers, all alike, another way that is not quite as clear."""
    first = np.repeat([0.0, 1.0], 32)
    second = np.tile([0.0, 0.45, 0.55, 1.0], 16)
    descriptors = np.column_stack([first, *[second] * 15]).astype(np.float32)
    assert cluster(descriptors, (1, 15), 2, seed=0).tolist() == first.astype(int).tolist()


def test_few_sites_have_few_clusters():
    descriptors = np.random.default_rng(0).normal(size=(20, sum(blocks(3)))).astype(np.float32)
    assert len(np.unique(cluster(descriptors, blocks(3), 64, seed=0))) == 2
    assert cluster(descriptors[:3], blocks(3), 64, seed=0).tolist() == [0, 0, 0]


def test_a_type_keeps_what_is_in_proportion_to_its_perplexity():
    cluster_of = np.array([0] * 80 + [1] * 20)
    entropy_bit = np.array([4.0] * 80 + [6.0] * 20)  # 16 and 64 grey levels: shares of a fifth and four fifths
    dropped = redundant(cluster_of, np.arange(100), entropy_bit, excess=2.0, seed=0)
    assert np.bincount(cluster_of, weights=~dropped).tolist() == [40, 20]


def test_who_is_dropped_depends_on_the_site_and_not_on_the_order():
    site, order = np.arange(60), np.random.default_rng(0).permutation(60)
    cluster_of, entropy_bit = (site % 6 > 0).astype(np.int32), np.full(60, 5.0)
    dropped = redundant(cluster_of, site, entropy_bit, 1.0, seed=3)
    assert 0 < dropped.sum() < 60
    assert np.array_equal(redundant(cluster_of[order], site[order], entropy_bit, 1.0, seed=3), dropped[order])
    assert not np.array_equal(redundant(cluster_of, site, entropy_bit, 1.0, seed=4), dropped)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """80 pictures of water, 24 of towns, a copy, a blank and a blurred one."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(5)
    town = [towns(rng) for _ in range(24)]
    blurred = np.asarray(Image.fromarray(towns(rng)).resize((12, 12), Image.Resampling.BOX).resize((64, 64), Image.Resampling.BICUBIC))
    pictures = {f"town{i:02d}": picture for i, picture in enumerate(town)} | {f"water{i:02d}": water(rng) for i in range(80)}
    pictures |= {
        "zcopy": np.clip(town[4].astype(int) + 8, 0, 255).astype(np.uint8),
        "blank": np.full((64, 64, 3), 80, np.uint8),
        "blurred": blurred,
    }
    return cut(folder, {"images": pictures}, Folder(tmp_path_factory.mktemp("tiles")))


def cut(data, pictures, tiles):
    """Tiles of pictures by folder and name; each folder is that of a sensor of the same name."""
    for sensor, named in pictures.items():
        (data / sensor).mkdir(parents=True)
        for name, picture in named.items():
            Image.fromarray(picture).save(data / sensor / f"{name}.png")
    entries = tuple(ImagesEntry(path=sensor, sensor=sensor, bands=("red", "green", "blue")) for sensor in pictures)
    given = Catalogue(title="t", licence="CC0", attribution="nobody", images=entries)
    cut_tiles(str(data), given, None, TilerConfig(chip_px=64, part_tiles=20), tiles)
    return tiles


CONFIG = CuratorConfig(clusters=4, max_cluster_excess=1.5)


def decisions(tiles, curated):
    table = pq.read_table(f"{curated.root}/curated.parquet").to_pandas()
    index = pq.read_table(f"{tiles.root}/tiles.parquet", columns=["tile", "source"]).to_pandas()
    return table.merge(index, on="tile").assign(name=lambda frame: frame["source"].str.extract(r"/([a-z]+)", expand=False))


def test_poor_copied_and_redundant_tiles_go_and_diversity_stays(tiles, tmp_path):
    curated = Folder(tmp_path)
    made = curate(tiles, CONFIG, curated)
    decided = decisions(tiles, curated)
    why = decided.set_index("name")["reason"]
    assert why[["blank", "blurred", "zcopy"]].tolist() == ["low entropy", "blurred", "near duplicate"]
    assert why["town"].isna().all()
    assert 10 < (why["water"] == "redundant").sum() < 70
    assert made.kept == decided["keep"].sum()
    assert made.dropped == decided["reason"].value_counts().to_dict()
    assert decided["cluster"].max() + 1 == made.clusters
    assert decided.loc[decided["reason"].isin(["low entropy", "blurred", "near duplicate"]), "cluster"].isna().all()


def test_a_site_is_of_the_type_of_the_mean_of_its_acquisitions():
    """Acquisitions differ far more from each other than types do; sums would tell the sites with many from those with few."""
    rng, type_of = np.random.default_rng(0), np.arange(16) % 2
    acquisitions = np.array([[1, 3], [1, 2]])[type_of, np.arange(16) // 2 % 2]
    site = rng.permutation(np.repeat(np.arange(16), acquisitions))
    changes = rng.normal(0, 50, (len(site), sum(blocks(3))))
    for number in range(16):
        changes[site == number] -= changes[site == number].mean(axis=0)
    looks = Looks(changes + 5 + type_of[site, None], rng.integers(0, 256, (len(site), 1024), np.uint8))
    reasons, cluster_of = _decide(pd.DataFrame({"site": site, "entropy_bit": 5.0}), looks, 3, CuratorConfig(max_cluster_excess=1))
    assert cluster_of.tolist() == type_of[site].tolist()
    assert not any(reasons)  # both types have as many sites, and images of the same entropy


def test_types_of_another_sensor_are_others(tmp_path):
    rng = np.random.default_rng(0)
    pictures = {sensor: {f"{number:02d}": picture(rng) for number, picture in enumerate([towns] * 8 + [water] * 8)} for sensor in "ab"}
    pictures["b"]["copy"] = pictures["b"]["03"]
    tiles, curated = cut(tmp_path / "data", pictures, Folder(tmp_path / "tiles")), Folder(tmp_path / "curated")
    made = curate(tiles, CuratorConfig(max_cluster_excess=5), curated)
    *found, copy = decisions(tiles, curated)["cluster"]
    towns_a, water_a, towns_b, water_b = (set(found[first : first + 8]) for first in (0, 8, 16, 24))
    assert sorted([towns_a, water_a], key=min) == [{0}, {1}]
    assert sorted([towns_b, water_b], key=min) == [{2}, {3}]
    assert np.isnan(copy)
    assert made.clusters == 4


def test_decisions_are_the_same_each_time_and_a_finished_folder_is_returned(tiles, tmp_path):
    first = curate(tiles, CONFIG, Folder(tmp_path / "a"))
    assert curate(tiles, CONFIG, Folder(tmp_path / "b")) == first
    written = (tmp_path / "a" / "curated.parquet").stat().st_mtime_ns
    assert curate(tiles, CONFIG, Folder(tmp_path / "a")) == first
    assert (tmp_path / "a" / "curated.parquet").stat().st_mtime_ns == written
    with pytest.raises(ConflictingOutput, match="another input or configuration"):
        curate(tiles, CuratorConfig(seed=1), Folder(tmp_path / "a"))


KILLED_AT_THE_SECOND_PART = """
import os, signal, sys
from components.curator import looks
from components.curator.config import CuratorConfig
from components.curator.run import curate
from eartheye.store import Folder

whole, finished = looks.ShardLooks.finish, []

def finish(self, folder):
    if finished:
        os.kill(os.getpid(), signal.SIGKILL)
    finished.append(folder)
    return whole(self, folder)

looks.ShardLooks.finish = finish
curate(Folder(sys.argv[1]), CuratorConfig(clusters=4, max_cluster_excess=1.5), Folder(sys.argv[2]))
"""


def test_a_killed_run_goes_on_where_it_was(tiles, tmp_path):
    whole = curate(tiles, CONFIG, Folder(tmp_path / "whole"))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    killed = subprocess.run([sys.executable, "-c", KILLED_AT_THE_SECOND_PART, tiles.root, str(tmp_path / "curated")], env=environment)
    assert killed.returncode == -signal.SIGKILL
    finished = {path: path.stat().st_mtime_ns for path in tmp_path.glob("curated/parts/*/manifest.json")}
    assert len(finished) == 1
    assert curate(tiles, CONFIG, Folder(tmp_path / "curated")) == whole
    assert {path: path.stat().st_mtime_ns for path in finished} == finished


def test_nothing_left_to_keep_says_why(tiles, tmp_path):
    with pytest.raises(NotEnoughTiles, match=r"no tile would be kept \(107 x low entropy\)"):
        curate(tiles, CuratorConfig(min_entropy_bit=8), Folder(tmp_path))
    assert Folder(tmp_path).read(Curated.name) is None


def test_unfinished_tiles_are_refused(tmp_path):
    with pytest.raises(NotFinished):
        curate(Folder(tmp_path / "none"), CONFIG, Folder(tmp_path / "curated"))
