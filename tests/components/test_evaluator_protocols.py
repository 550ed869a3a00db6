"""The arithmetic of an evaluation, each against the plainest way to compute it."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import binom
from torchmetrics.functional.classification import multiclass_jaccard_index

from components.evaluator.bootstrap import interval
from components.evaluator.colour import BINS, ColourForest, histograms, surroundings
from components.evaluator.config import EvaluatorConfig
from components.evaluator.features import judge_features, random_backbone
from components.evaluator.neighbours import classify
from components.evaluator.patches import principal_colours
from components.evaluator.pictures import paint, stretch
from components.evaluator.probe import probe
from components.evaluator.scoring import COLOUR, RANDOM, by_class, by_group, comparisons
from components.finetuner.config import SamplesConfig
from components.finetuner.metrics import class_iou, confusion, mean_iou, overall_accuracy
from components.finetuner.windows import Window, Windows, choose_windows
from eartheye.contracts import Architecture, ClassSpec, ImageSpec, Score
from eartheye.tiles import TileSet
from models.vit import SIZES

CLASSES = tuple(ClassSpec(value=value, name=name, colour="#102030") for value, name in ((1, "a"), (2, "b"), (5, "c"), (9, "d")))


def test_figures_are_those_of_counting_by_hand():
    rng = np.random.default_rng(0)
    predicted, truth = rng.integers(0, 4, (3, 40, 40)), rng.integers(-1, 3, (3, 40, 40))
    matrix = confusion(torch.from_numpy(predicted), torch.from_numpy(truth), 4)
    ious = []
    for number in range(4):
        known = truth >= 0
        hit = ((predicted == number) & (truth == number)).sum()
        union = (((predicted == number) | (truth == number)) & known).sum()
        assert matrix[number].sum() == (truth == number).sum()
        assert class_iou(matrix)[number] == pytest.approx(hit / union)
        ious.append(hit / union)
    assert ious[3] == 0  # predicted and never true
    assert mean_iou(matrix) == pytest.approx(np.mean(ious))
    theirs = multiclass_jaccard_index(torch.from_numpy(predicted), torch.from_numpy(truth), 4, average="macro", ignore_index=-1)
    assert mean_iou(matrix) == pytest.approx(float(theirs))
    assert overall_accuracy(matrix) == pytest.approx((predicted == truth)[truth >= 0].mean())


def test_figures_of_many_matrices_are_those_of_each():
    matrices = np.random.default_rng(0).integers(0, 50, (5, 4, 4))
    for figure in (mean_iou, overall_accuracy):
        assert figure(matrices) == pytest.approx([float(figure(matrix)) for matrix in matrices])


def test_nothing_known_is_a_matrix_of_zeros():
    assert confusion(torch.zeros(5, dtype=torch.int64), torch.full((5,), -1), 3).sum() == 0


def test_a_class_that_is_nowhere_is_in_no_table():
    matrix = np.array([[5, 1, 0, 0], [0, 4, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0]])
    figures, table = by_class(matrix, CLASSES, "miou")
    assert figures == {"a": pytest.approx(5 / 6), "b": pytest.approx(4 / 7), "d": 0.0}
    assert table == ((5, 1, 0), (0, 4, 2), (0, 0, 0))
    assert mean_iou(matrix) == pytest.approx(np.mean(list(figures.values())))
    assert by_class(matrix, CLASSES, "oa")[0] == {"a": pytest.approx(5 / 6), "b": pytest.approx(4 / 6), "d": 0.0}


def test_groups_are_counted_apart():
    parts = [("b", np.array([0, 1]), np.array([0, 0])), ("a", np.array([1]), np.array([1])), ("b", np.array([1]), np.array([1]))]
    assert by_group(parts, 2).tolist() == [[[0, 0], [0, 1]], [[1, 1], [0, 1]]]


def test_an_interval_holds_the_figure_and_narrows_with_the_groups():
    rng = np.random.default_rng(0)
    matrices = np.stack([np.diag(right) + np.full((3, 3), 5) for right in rng.integers(5, 60, (40, 3))])
    few, many = (interval(matrices[:count], overall_accuracy, 500, 0) for count in (5, 40))
    assert few[0] < overall_accuracy(matrices[:5].sum(axis=0)) < few[1]
    assert many[0] < overall_accuracy(matrices.sum(axis=0)) < many[1]
    assert many[1] - many[0] < few[1] - few[0]
    assert interval(matrices, overall_accuracy, 500, 0) == many


def test_an_interval_is_that_of_drawing_as_many_groups_again():
    """Of 12 groups, all right or all wrong, k right ones are drawn with the binomial's probability."""
    matrices = np.array([[[10, 0], [0, 10]]] * 7 + [[[0, 10], [10, 0]]] * 5)
    low, high = (float(binom(12, 7 / 12).ppf(end)) / 12 for end in (0.025, 0.975))
    assert interval(matrices, overall_accuracy, 20_000, 0) == pytest.approx((low, high))


def test_groups_that_agree_have_no_width_and_one_group_no_interval():
    matrices = np.repeat(np.array([[[8, 2], [1, 9]]]), 6, axis=0)
    assert interval(matrices, overall_accuracy, 100, 0) == pytest.approx((0.85, 0.85))
    assert interval(matrices[:1], overall_accuracy, 100, 0) is None


def test_neighbours_vote_with_the_exponential_of_their_cosine():
    rng = np.random.default_rng(0)
    train, labels, test = rng.normal(size=(60, 8)), rng.integers(0, 3, 60), rng.normal(size=(25, 8))
    wanted = []
    for one in test:
        cosines = [one @ other / np.linalg.norm(one) / np.linalg.norm(other) for other in train]
        votes = np.zeros(3)
        for place in np.argsort(cosines)[-7:]:
            votes[labels[place]] += np.exp(cosines[place] / 0.07)
        wanted.append(votes.argmax())
    assert classify(train, labels, test, 3, 7, 0.07).tolist() == wanted


def test_more_neighbours_than_images_are_all_of_them():
    assert classify(np.eye(2), np.array([0, 1]), np.array([[1.0, 0.1]]), 2, 20, 0.07).tolist() == [0]


@pytest.mark.parametrize("validated", [True, False])
def test_a_probe_finds_what_is_linear(validated):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 5))
    labels = (features[:, 0] + 2 * features[:, 1] > 0).astype(int)
    validation = np.arange(150, 200) if validated else np.array([], int)
    assert (probe(features, labels, np.arange(150), validation, np.arange(200, 300)) == labels[200:]).mean() > 0.93


def test_a_probe_sees_features_of_any_scale_alike():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 5)) + 50
    labels = (features[:, 0] > 50).astype(int)
    features[:, 0] = features[:, 0] / 1000 - 3  # what tells the classes apart is smallest
    assert (probe(features, labels, np.arange(150), np.array([], int), np.arange(200, 300)) == labels[200:]).mean() > 0.9


def test_neighbours_take_a_network_s_class_token_and_a_probe_all_it_says():
    """Half the features, the class token, tells the first class apart; the other, the mean patch, all three."""
    parts = ["train"] * 60 + ["validation"] * 30 + ["test"] * 30
    label = np.arange(120) % 3
    windows = Windows(
        tuple(Window(row, 0, 0, int(label[row]), part, str(row % 4)) for row, part in enumerate(parts)),
        pd.Series(parts, range(120)),
        CLASSES[:3],
        "web",
        56,
    )
    token, patch = np.eye(3)[np.where(label == 0, 0, 1)], np.eye(3)[label]
    features = np.hstack([token, patch]) + np.random.default_rng(0).normal(size=(120, 6)) * 0.01
    config = EvaluatorConfig(samples=SamplesConfig(label_set="cover"))
    near, linear = judge_features("pretrained", features, windows, config)
    assert (near.protocol, linear.protocol) == ("knn", "linear-probe")
    assert near.matrices.sum(axis=0)[0].tolist() == [10, 0, 0]
    assert near.matrices.sum(axis=0)[1:, 0].tolist() == [0, 0]
    assert np.trace(near.matrices.sum(axis=0)) < 28
    assert linear.matrices.sum(axis=0).tolist() == np.diag([10] * 3).tolist()
    every, _ = judge_features(COLOUR, features, windows, config)
    assert np.trace(every.matrices.sum(axis=0)) == 30
    # taught wrongly, both are wrong: nothing is learned from the test windows
    taught = tuple(window._replace(label=(window.label + 1) % 3) if window.part == "train" else window for window in windows.all)
    for found in judge_features(COLOUR, features, replace(windows, all=taught), config):
        assert np.trace(found.matrices.sum(axis=0)) == 0


def test_a_random_backbone_is_the_same_each_time_and_another_for_another_seed():
    architecture = Architecture(name="vit-nano/14", backbone=asdict(SIZES["nano"]), image_px=28)
    first, again, other = (random_backbone(architecture, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert not torch.equal(first["cls_token"], other["cls_token"])


def test_words_on_the_baselines_follow_the_figures():
    scores = [
        Score(model=m, protocol="knn", metric="oa", value=v, low=None, high=None, count=9) for m, v in (("pretrained", 0.5), (RANDOM, 0.6))
    ]
    assert comparisons(scores, 20)[0] == "knn, oa: pretrained 0.500 is not above random backbone 0.600"
    assert comparisons([scores[0], scores[1].model_copy(update={"value": 0.4})], 20)[0].startswith("knn, oa: pretrained 0.500 is above")


def test_a_histogram_counts_each_pixel_once():
    images = np.random.default_rng(0).normal(size=(2, 3, 20, 20)).astype(np.float32)
    shares = histograms(images).reshape(2, 3, BINS) ** 2
    assert shares.sum(axis=2) == pytest.approx(np.ones((2, 3)), rel=1e-5)
    low, high = -3 + 6 / BINS * 10, -3 + 6 / BINS * 11
    assert shares[1, 2, 10] == pytest.approx(((images[1, 2] >= low) & (images[1, 2] < high)).mean(), abs=1e-5)


def test_surroundings_are_colour_mean_and_deviation():
    image = np.random.default_rng(0).normal(size=(2, 60, 60)).astype(np.float32)
    described = surroundings(image)
    assert described.shape == (15, 15, 14)
    around = image[:, 32 - 2 : 32 + 3, 28 - 2 : 28 + 3]
    wanted = np.concatenate([image[:, 32, 28], around.mean(axis=(1, 2)), around.std(axis=(1, 2))])
    assert described[8, 7, :6] == pytest.approx(wanted, abs=1e-4)


def mapped(tiles, grey, mask, valid):
    """What a forest takes a tile for when it has learned from tiles that all show this; colours are as they are, 0 without data."""
    tile_set = TileSet(tiles)
    windows = choose_windows(tile_set, "segmentation", SamplesConfig(label_set="cover", input_px=56))
    tile_set.image = lambda tile: (np.stack([grey] * 3), valid)
    tile_set.mask = lambda tile, label_set: mask
    bands = ("red", "green", "blue")
    image = ImageSpec(bands=bands, dtype="uint8", mean=(0,) * 3, std=(1,) * 3, gsd_m=None, gsd_range_m=None)
    return ColourForest(tile_set, windows, "cover", image, 2000, seed=0).predict(0)


def test_a_forest_finds_a_rare_class_where_colour_leaves_it_open(tiles):
    """Where the tile is bright a third is field, which is nowhere else: there it is twice as rare as lake, everywhere five times."""
    grey, mask = np.zeros((84, 84), np.uint8), np.full((84, 84), 2, np.uint8)
    grey[:, 42:] = 64
    mask[np.arange(84) // 4 % 3 == 0, 42:] = 1
    predicted = mapped(tiles, grey, mask, np.ones((84, 84), np.bool_))
    assert (predicted[:, :24] == 1).all()
    assert (predicted[:, 60:] == 0).all()


def test_a_forest_takes_neither_labels_nor_colours_from_where_there_is_no_data(tiles):
    """From the left: nothing, said to be wood and as bright as field; lake, black as what is not known; lake, grey; field."""
    grey, mask = (np.repeat(np.array(values, np.uint8), 40)[None].repeat(160, axis=0) for values in ([200, 0, 100, 200], [4, 2, 2, 1]))
    predicted = mapped(tiles, grey, mask, np.broadcast_to(np.arange(160) >= 40, (160, 160)))
    assert (predicted[:, :20] == 1).all()


def test_principal_colours_follow_the_largest_spread():
    tokens = np.random.default_rng(0).normal(size=(500, 6)).astype(np.float32) * [1, 9, 1, 4, 1, 1]
    colours = principal_colours(tokens.astype(np.float32))
    assert colours.min() == 0
    assert colours.max() == 1
    assert abs(np.corrcoef(colours[:, 0], tokens[:, 1])[0, 1]) > 0.95


def test_pictures_show_bands_and_classes():
    pixels, valid = np.random.default_rng(0).integers(0, 255, (4, 9, 9), np.uint8), np.ones((9, 9), bool)
    valid[0, 0] = False
    shown = stretch(pixels, valid)
    assert (shown[valid] == pixels[:3, valid].T).all()
    assert shown[0, 0].tolist() == [0, 0, 0]
    deep = stretch(pixels.astype(np.uint16) * 10, valid)
    assert (deep.min(), deep.max()) == (0, 255)
    low, high = np.percentile(pixels[:3, valid], (2, 98))
    assert deep[4, 4].tolist() == pytest.approx(np.clip((pixels[:3, 4, 4] - low) / (high - low) * 255, 0, 255), abs=1)
    grey = stretch(pixels[:1], valid)
    assert (grey[..., 0] == grey[..., 2]).all()
    assert paint(np.array([[0, -1]]), CLASSES).tolist() == [[[16, 32, 48], [255, 255, 255]]]
