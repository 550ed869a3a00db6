"""Pretraining on real tiles: what it leaves, what it refuses, and that an interruption changes nothing."""

import copy
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from components.pretrainer import checkpoints
from components.pretrainer.config import HeadConfig, PretrainConfig, ViewsConfig
from components.pretrainer.loader import ViewLoader
from components.pretrainer.run import Resources, pretrain
from components.pretrainer.sites import choose_sites, read_acquisition
from components.pretrainer.training import FIGURES, Training, parameter_groups
from eartheye.contracts import ModelPackage
from eartheye.errors import ConflictingOutput, InvalidConfig, NewerManifest, NotEnoughTiles, NotFinished, StoreFull, TrainingDiverged
from eartheye.store import Folder
from eartheye.tiles import SplitConfig, TileSet, split
from models.package import load_backbone
from models.vit import SIZES, VisionTransformer
from models.weights import read_weights
from tests.components.tiny_tiles import write_curated, write_tiles
from tests.limits import filled

CONFIG = PretrainConfig(
    size="nano",
    views=ViewsConfig(global_px=28, local_px=14),
    head=HeadConfig(hidden=32, bottleneck=16, prototypes=32),
    steps=6,
    batch_size=4,
    momentum=0.9,
    precision="float32",
    holdout=SplitConfig(test_share=0.3, validation_share=0.0),
)
CPU = torch.device("cpu")
EACH_STEP = Resources(device="cpu", loader_threads=2, checkpoint_every_s=0, checkpoint_share=math.inf)
SELDOM = Resources(device="cpu", loader_threads=1, checkpoint_every_s=3600)

pytestmark = pytest.mark.usefixtures("mlflow")


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    return write_tiles(tmp_path_factory.mktemp("tiles"), sites=10)


@pytest.fixture(scope="module")
def curated(tmp_path_factory, tiles):
    return write_curated(tmp_path_factory.mktemp("curated"), tiles, dropped=[5])


@pytest.fixture(scope="module")
def trained(tmp_path_factory, mlflow, tiles, curated):
    """One uninterrupted training."""
    root = Folder(tmp_path_factory.mktemp("trained"))
    pretrain(tiles, curated, CONFIG, root / "checkpoint", root / "backbone", SELDOM)
    return root


def chosen(tiles, holdout=None, dropped=()):
    tile_set = tiles if isinstance(tiles, TileSet) else TileSet(tiles)
    cut = tile_set.cut
    return choose_sites(tile_set, pd.DataFrame({"tile": cut["tile"], "keep": ~cut["tile"].isin(dropped)}), holdout)


def batch(tiles):
    """Views of four sites."""
    return next(iter(ViewLoader(TileSet(tiles), chosen(tiles), CONFIG.views, batch_size=4, seed=3, threads=1).batches(0, 1)))


def test_the_package_says_what_the_backbone_was_trained_on(trained, tiles):
    package = ModelPackage.read(trained / "backbone")
    assert (package.task, package.title, package.architecture.name) == ("backbone", "backbone-nano", "vit-nano/14")
    assert package.image.bands == ("red", "green", "blue")
    assert package.image.gsd_m == 1.0
    # 84 px tiles: the coarsest crop is a whole tile on 28 px, the finest sqrt(0.32) of one; local ones are at least sqrt(0.05)
    assert package.image.gsd_range_m == pytest.approx((1.0, 84 * math.sqrt(0.32) / 14), rel=1e-6)
    assert package.provenance.trained_on[0] == TileSet(tiles).manifest.digest
    assert package.provenance.licence == ("CC0",)


def test_the_package_holds_the_teacher(trained):
    teacher = checkpoints.newest(trained / "checkpoint", ModelPackage.read(trained / "backbone").made_from, CPU)
    weights = read_weights(Path(trained.root) / "backbone" / "model.safetensors")
    assert all(torch.equal(tensor, teacher["model"][f"teacher.backbone.{name}"]) for name, tensor in weights.items())
    tokens = load_backbone(trained / "backbone")(torch.zeros(1, 3, 56, 56))
    assert tokens.patches.shape == (1, 16, 128)


def test_the_history_has_each_step(trained):
    history = pq.read_table(Path(trained.root) / "backbone" / "history.parquet").to_pandas()
    assert tuple(history.columns) == FIGURES
    assert len(history) == CONFIG.steps
    assert np.isfinite(history).all().all()
    assert history["loss"].to_numpy() == pytest.approx((history["class_loss"] + history["patch_loss"]).to_numpy())
    assert (history["teacher_entropy"] <= math.log(32) + 1e-4).all()


def test_dropped_and_held_out_tiles_are_never_seen(trained, tiles):
    seen = pq.read_table(Path(trained.root) / "backbone" / "split.parquet").to_pandas()
    index = TileSet(tiles).index.set_index("tile")
    assert 5 not in set(seen["tile"])
    assert 0 < index.loc[seen["tile"], "group"].nunique() < index["group"].nunique()
    held_out = chosen(tiles).index["group"].nunique() - index.loc[seen["tile"], "group"].nunique()
    assert held_out >= 1
    assert set(seen["tile"]) == set(chosen(tiles, CONFIG.holdout, dropped=[5]).index["tile"])


def test_all_but_the_test_is_seen_and_no_other_tile_of_its_ground(tiles):
    tile_set, holdout = TileSet(tiles), SplitConfig(test_share=0.3, validation_share=0.2)
    part = split(tile_set.cut, holdout)
    held_out, beside = (part.index[part == name][0] for name in ("test", "train"))
    tile_set.index.at[beside, "transform"] = tile_set.index.at[held_out, "transform"]
    assert set(chosen(tile_set, holdout).index["tile"]) == set(part.index[part != "test"]) - {beside}


def test_tiles_without_a_label_are_seen_where_the_test_is_parted_by_label(tiles):
    tile_set, holdout = TileSet(tiles), SplitConfig(by="label", test_share=0.3, validation_share=0)
    index = tile_set.index
    groups = sorted(index["group"].unique())
    index["label"] = index["group"].map(dict.fromkeys(groups[:-2], "forest"))
    part = split(tile_set.cut, holdout)
    tested = part.index[part == "test"]
    unlabelled = index.index[index["label"].isna()]
    assert len(unlabelled) > 1
    assert set(unlabelled).isdisjoint(part.index)
    index.at[unlabelled[0], "transform"] = index.at[tested[0], "transform"]
    assert set(chosen(tile_set, holdout).index["tile"]) == set(tile_set.cut["tile"]) - set(tested) - {unlabelled[0]}


def test_tiles_that_are_not_for_pretraining_are_left_out_though_the_curator_kept_them(tiles):
    tile_set = TileSet(tiles)
    tile_set.index.loc[[3, 8], "pretrain"] = False
    assert set(chosen(tile_set).index["tile"]) == set(tile_set.cut["tile"]) - {3, 8}


def test_the_image_described_is_that_of_the_sensor_of_most_tiles(tiles):
    tile_set = TileSet(tiles)
    tile_set.sensors["aerial"] = tile_set.sensors["camera"].model_copy(update={"name": "aerial", "mean": (1.0, 2.0, 3.0)})
    tile_set.index.loc[:9, "sensor"] = "aerial"
    assert chosen(tile_set).image.mean == (90.0, 95.0, 80.0)
    tile_set.index.loc[:29, "sensor"] = "aerial"
    assert chosen(tile_set).image.mean == (1.0, 2.0, 3.0)


def test_what_the_sensor_measured_is_found_again_also_of_a_band_that_never_changes(tiles):
    tile_set = TileSet(tiles)
    tile_set.sensors["camera"] = tile_set.sensors["camera"].model_copy(update={"std": (60.0, 0.0, 40.0)})
    pixels, valid = tile_set.image(5)
    seen = read_acquisition(tile_set, 5)
    measured = seen.channels * seen.std[:, None, None] + seen.mean[:, None, None]
    np.testing.assert_allclose(measured[:, valid], pixels[:, valid], atol=1e-4)
    assert seen.limits == (0.0, 255.0)


def test_a_finished_backbone_is_returned_untouched(trained, tiles, curated):
    before = {path: path.stat().st_mtime_ns for path in Path(trained.root).rglob("*") if path.is_file()}
    first = ModelPackage.read(trained / "backbone")
    assert pretrain(tiles, curated, CONFIG, trained / "checkpoint", trained / "backbone", SELDOM) == first
    assert before == {path: path.stat().st_mtime_ns for path in Path(trained.root).rglob("*") if path.is_file()}


def test_the_same_training_run_again_gives_the_same_digest(trained, tiles, curated, tmp_path):
    first = ModelPackage.read(trained / "backbone")
    again = pretrain(tiles, curated, CONFIG, Folder(tmp_path / "checkpoint"), Folder(tmp_path / "backbone"), SELDOM)
    assert again.provenance.run_id != first.provenance.run_id
    assert again.digest == first.digest


def test_another_configuration_overwrites_neither_backbone_nor_checkpoint(trained, tiles, curated, tmp_path):
    other = CONFIG.model_copy(update={"seed": 1})
    with pytest.raises(ConflictingOutput, match="another input or configuration"):
        pretrain(tiles, curated, other, Folder(tmp_path), trained / "backbone", SELDOM)
    with pytest.raises(ConflictingOutput, match="checkpoints of another training"):
        pretrain(tiles, curated, other, trained / "checkpoint", Folder(tmp_path / "backbone"), SELDOM)


def test_a_size_that_has_other_numbers_now_is_another_training(trained, tiles, curated, monkeypatch):
    monkeypatch.setitem(SIZES, "nano", dataclasses.replace(SIZES["nano"], heads=4))
    with pytest.raises(ConflictingOutput, match="another input or configuration"):
        pretrain(tiles, curated, CONFIG, trained / "checkpoint", trained / "backbone", SELDOM)


KILLED = """
import os, signal, sys
import torch
from components.pretrainer import checkpoints, run
from eartheye.store import Folder
from tests.components.test_pretrainer import CONFIG, EACH_STEP

tiles, curated, root, where = sys.argv[1:]
whole_save, whole_finish, saves = torch.save, checkpoints.Checkpoint.finish, []

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def save(state, file):
    saves.append(1)
    if where == "within a checkpoint" and len(saves) == 3:
        file.write(b"half of a checkpoint")
        file.flush()
        kill()
    whole_save(state, file)

def finish(self, folder):
    if where == "before its manifest" and len(saves) == 2:
        kill()
    return whole_finish(self, folder)

torch.save, checkpoints.Checkpoint.finish = save, finish
run.pretrain(Folder(tiles), Folder(curated), CONFIG, Folder(root) / "checkpoint", Folder(root) / "backbone", EACH_STEP)
"""


def test_a_checkpoint_without_room_is_told_and_the_one_before_stays(small_disk):
    folder, state = Folder(small_disk / "checkpoint"), {"step": 1, "weights": torch.ones(10)}
    checkpoints.save(folder, "this training", 1, state)
    with pytest.raises(StoreFull, match=rf"no room to write {small_disk}/checkpoint/step-00000002/state\.pt \(No space left on device\)"):
        checkpoints.save(folder, "this training", 2, {"step": 2, "weights": torch.ones(2_000_000)})
    assert list(folder.list()) == ["step-00000001/manifest.json", "step-00000001/state.pt"]
    assert checkpoints.newest(folder, "this training", CPU)["step"] == 1


def test_weights_without_room_are_told_and_made_once_there_is(trained, tiles, curated, tmp_path, small_disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    backbone = Folder(tmp_path / "backbone")
    with filled(small_disk), pytest.raises(StoreFull, match=rf"no room in {small_disk} for temporary files .*set TMPDIR to a larger disk"):
        pretrain(tiles, curated, CONFIG, trained / "checkpoint", backbone, SELDOM)
    assert list(backbone.list()) == []
    assert (
        pretrain(tiles, curated, CONFIG, trained / "checkpoint", backbone, SELDOM).weights
        == ModelPackage.read(trained / "backbone").weights
    )


def test_a_training_killed_twice_ends_with_the_weights_of_one_never_interrupted(trained, tiles, curated, tmp_path, mlflow):
    root = Folder(tmp_path)
    for where, steps_done in (("within a checkpoint", 2), ("before its manifest", 3)):
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, tiles.root, curated.root, root.root, where], env=environment, capture_output=True
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
        assert checkpoints.finished(root / "checkpoint")[-1] == f"step-{steps_done:08d}"
        assert not (root / "backbone").exists("model.json")
    pretrain(tiles, curated, CONFIG, root / "checkpoint", root / "backbone", SELDOM)

    for name in ("model.safetensors", "history.parquet", "split.parquet"):
        assert (root / "backbone").read(name) == (trained / "backbone").read(name)
    assert len(checkpoints.finished(root / "checkpoint")) == 2


def test_a_checkpoint_follows_after_its_time_and_after_fifty_times_what_the_last_one_took():
    now_s = [0.0]
    pace = checkpoints.Pace(30.0, 0.02, clock=lambda: now_s[0])

    def next_due_s(cost_s):
        while not pace.due():
            now_s[0] += 1
        due_s = now_s[0]
        pace.keep(lambda: now_s.__setitem__(0, due_s + cost_s))
        return due_s

    assert [next_due_s(cost_s) for cost_s in (0.5, 2.0, 0.25, 1.0)] == [30, 30.5 + 30, 62.5 + 100, 162.75 + 30]


def test_a_damaged_checkpoint_is_refused(tmp_path):
    folder = Folder(tmp_path)
    checkpoints.save(folder, "abc", 1, {"step": 1})
    path = tmp_path / "step-00000001" / "state.pt"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(Exception, match="SHA-256"):
        checkpoints.newest(folder, "abc", CPU)


def test_a_training_that_diverges_stops_with_its_last_checkpoint_in_place(tiles, curated, tmp_path):
    root, wild = Folder(tmp_path), CONFIG.model_copy(update={"learning_rate": 1e300, "warmup": 0.4})
    with pytest.raises(TrainingDiverged, match="lower `learning_rate`"):
        pretrain(tiles, curated, wild, root / "checkpoint", root / "backbone", EACH_STEP)
    assert not (root / "backbone").exists("model.json")
    names = checkpoints.finished(root / "checkpoint")
    assert names == ["step-00000001"]
    state = torch.load(tmp_path / "checkpoint" / names[-1] / "state.pt", weights_only=True)
    assert all(tensor.isfinite().all() for tensor in state["model"].values())


def test_batches_do_not_depend_on_threads_and_begin_at_any_step(tiles):
    def batches(threads, first):
        loader = ViewLoader(TileSet(tiles), chosen(tiles), CONFIG.views, batch_size=4, seed=3, threads=threads)
        return list(loader.batches(first, 6))

    one, many, late = batches(1, 0), batches(4, 0), batches(2, 4)
    assert len(one) == 6
    for first, second in zip([*one, *one[4:]], [*many, *late], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert one[0].global_views.shape == (2, 4, 3, 28, 28)


def test_an_epoch_visits_each_site_once(tiles):
    loader = ViewLoader(TileSet(tiles), chosen(tiles), CONFIG.views, batch_size=4, seed=0, threads=1)
    places = [place for step in range(5) for place in loader.places(step)]
    for epoch in (0, 1):
        assert sorted(site for at, site in places if at == epoch) == list(range(10))


def test_views_show_one_site_and_its_other_quarters(tiles):
    loader = ViewLoader(TileSet(tiles), chosen(tiles), CONFIG.views, batch_size=4, seed=0, threads=1)
    shown = loader.views(0, 7).tiles
    assert len(set(shown[:2].tolist())) == 1
    assert sorted(set(shown.tolist())) == [28, 29, 30, 31]


@pytest.mark.parametrize(("asked", "moves"), [({}, False), ({"global_to_global": True}, True)])
def test_the_class_loss_is_of_local_views_unless_global_ones_are_asked_for(tiles, asked, moves):
    """Equation (2) has no term in which the student's class token of a global view, masked as it is, appears."""
    views = batch(tiles)
    training = Training(CONFIG.model_copy(update=asked), 3, CPU)
    first, other = (
        training.model.losses(views.global_views, masks, views.local_views, teacher_temperature=0.05)
        for masks in (views.masks, ~views.masks)
    )
    assert (first.cls.item() != other.cls.item()) == moves


def test_a_step_is_adamw_on_the_clipped_gradient_and_then_the_teacher_follows(tiles):
    """Two of two steps, beside the same by hand: learning rate, decay by kind of parameter, temperature and momentum as configured."""
    views = batch(tiles)
    training = Training(CONFIG.model_copy(update={"steps": 2, "teacher_temperature_warmup": 0.5, "clip_gradient": 0.5}), 3, CPU)
    by_hand = copy.deepcopy(training.model)
    named = dict(by_hand.student.named_parameters())
    kinds = [[], []]
    for name, parameter in named.items():
        kinds[parameter.ndim < 2 or name.endswith("_token") or name.endswith("pos_embed")].append(parameter)
    adamw = torch.optim.AdamW([{"params": kind} for kind in kinds])
    # halfway along the cosine at the second step; 4 of 1024 sites: a sixteenth of the learning rate
    for rate, decay, temperature in ((4e-3 / 16, 0.04, 0.04), ((4e-3 + 1e-6) / 32, 0.22, 0.07)):
        figures = training.advance(views)
        losses = by_hand(*views[:3], temperature)
        adamw.zero_grad()
        losses.total.backward()
        norm = torch.stack([parameter.grad.norm() for parameter in named.values()]).norm()
        assert norm > 0.5
        for parameter in named.values():
            parameter.grad.mul_(0.5 / norm)
        for group, of_kind in zip(adamw.param_groups, (decay, 0.0), strict=True):
            group.update(lr=rate, weight_decay=of_kind)
        adamw.step()
        with torch.no_grad():
            for teacher, student in zip(by_hand.teacher.parameters(), by_hand.student.parameters(), strict=True):
                teacher.copy_(0.9 * teacher + 0.1 * student)
        assert [figures[name] for name in ("loss", "class_loss", "patch_loss", "gradient_norm", "learning_rate")] == pytest.approx(
            [losses.total.item(), losses.cls.item(), losses.patch.item(), norm.item(), rate], rel=1e-4
        )
        torch.testing.assert_close(dict(training.model.named_parameters()), dict(by_hand.named_parameters()), rtol=1e-6, atol=1e-7)
    assert training.step == 2


@pytest.mark.parametrize(("sites", "rate"), [(1024, 4e-3), (256, 2e-3), (4096, 8e-3)])
def test_the_learning_rate_goes_with_the_root_of_the_batch(sites, rate):
    assert Training(CONFIG.model_copy(update={"batch_size": sites}), 3, CPU).schedules()[0] == pytest.approx(rate)


def test_only_matrices_decay():
    decaying, others = parameter_groups(VisionTransformer(SIZES["nano"], 28))
    assert (decaying["decays"], others["decays"]) == (True, False)
    assert all(parameter.ndim >= 2 for parameter in decaying["params"])
    assert {tuple(parameter.shape) for parameter in others["params"] if parameter.ndim == 3} == {(1, 1, 128), (1, 5, 128)}


def test_nothing_kept_by_the_curator_says_what_to_change(tiles, tmp_path):
    with pytest.raises(NotEnoughTiles, match="loosen"):
        chosen(tiles, dropped=range(40))


def test_tiles_still_to_be_cut_or_of_a_newer_release_are_refused(curated, tmp_path):
    with pytest.raises(NotFinished):
        pretrain(Folder(tmp_path / "none"), curated, CONFIG, Folder(tmp_path / "c"), Folder(tmp_path / "b"), SELDOM)
    tiles = write_tiles(tmp_path / "tiles", sites=2, quarters=1)
    manifest = tmp_path / "tiles" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"kind": "tiles/2"}))
    with pytest.raises(NewerManifest, match="upgrade"):
        pretrain(tiles, curated, CONFIG, Folder(tmp_path / "c"), Folder(tmp_path / "b"), SELDOM)


def test_a_size_that_does_not_divide_into_patches_is_refused():
    with pytest.raises(InvalidConfig, match="multiple of 14"):
        PretrainConfig(views=ViewsConfig(local_px=100))
