"""The training of a head, beside the same by hand."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional

from components.finetuner import fitting
from components.finetuner.config import FinetuneConfig, SamplesConfig
from components.finetuner.fitting import class_weights, fit_head, validate
from components.finetuner.resources import Resources
from models.heads.linear import LinearHead
from models.heads.upernet import UperNet
from models.tasks import SceneClassifier, Segmenter
from models.vit import SIZES, VisionTransformer

CONFIG = FinetuneConfig(title="kinds", task="scenes", epochs=2, batch_size=4, learning_rate=1e-2, weight_decay=0.1)
HERE = Resources(device="cpu", loader_threads=1)
CPU = torch.device("cpu")
TRAIN, VALIDATION, CLASSES = np.arange(8), np.arange(8, 14), 3


@pytest.fixture
def model():
    torch.manual_seed(0)
    backbone = VisionTransformer(SIZES["nano"], 28)
    return SceneClassifier(backbone, LinearHead(backbone.spec.dim, CLASSES))


@pytest.fixture
def scenes():
    """Features of training and validation windows, and their classes; two are not known."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(14, 256)).astype(np.float16), np.array([1, 1, 1, 1, 2, 0, 3, 1, 1, 2, 3, 0, 2, 2], np.uint8)


def test_a_head_is_fitted_by_adamw_along_a_cosine_on_weighted_classes_without_what_is_not_known(model, scenes):
    features, targets = scenes
    by_hand = copy.deepcopy(model.head)
    history = fit_head(model, features, targets, TRAIN, np.array([], np.int64), CLASSES, CONFIG, HERE)

    weights = class_weights(targets[TRAIN], CLASSES, CONFIG.balance)
    adamw = torch.optim.AdamW(by_hand.parameters(), weight_decay=0.1)
    losses = []
    for epoch in (0, 1):
        order = np.random.default_rng([0, epoch]).permutation(TRAIN)
        for number, rows in enumerate((order[:4], order[4:])):
            adamw.param_groups[0]["lr"] = 1e-2 * (1 + np.cos(np.pi * (2 * epoch + number) / 4)) / 2
            known = rows[targets[rows] > 0]
            wanted = torch.from_numpy(targets[known].astype(np.int64) - 1)
            scores = by_hand(torch.from_numpy(features[known].astype(np.float32)))
            loss = (functional.cross_entropy(scores, wanted, reduction="none") * weights[wanted]).mean()
            adamw.zero_grad()
            loss.backward()
            adamw.step()
            losses.append(loss.item())
    torch.testing.assert_close(dict(model.head.named_parameters()), dict(by_hand.named_parameters()), rtol=1e-5, atol=1e-6)
    assert history["loss"].tolist() == pytest.approx([np.mean(losses[:2]), np.mean(losses[2:])], rel=1e-5)
    assert history["validation"].isna().all()


def test_the_head_of_the_epoch_that_is_best_on_the_validation_part_is_kept(model, scenes, monkeypatch):
    features, targets = scenes
    heads, asked = [], []

    def score(model, features, targets, rows, *_):
        heads.append(copy.deepcopy(model.head.state_dict()))
        asked.append(rows.tolist())
        return [0.2, 0.7, 0.7, 0.4][len(heads) - 1]

    monkeypatch.setattr(fitting, "validate", score)
    history = fit_head(model, features, targets, TRAIN, VALIDATION, CLASSES, CONFIG.model_copy(update={"epochs": 4}), HERE)
    assert history["validation"].tolist() == [0.2, 0.7, 0.7, 0.4]
    assert asked == [VALIDATION.tolist()] * 4
    assert all(torch.equal(tensor, heads[1][name]) for name, tensor in model.head.state_dict().items())


def test_scenes_are_validated_by_accuracy_over_all_batches_of_what_is_known(model, scenes):
    features, targets = scenes
    with torch.no_grad():
        predicted = model.head(torch.from_numpy(features[VALIDATION].astype(np.float32))).argmax(dim=1).numpy() + 1
    known = targets[VALIDATION] > 0
    accuracy = (predicted == targets[VALIDATION])[known].mean()
    assert validate(model, features, targets, VALIDATION, CLASSES, CONFIG, CPU) == pytest.approx(accuracy)


def test_pixels_are_validated_by_mean_intersection_over_union():
    torch.manual_seed(0)
    backbone = VisionTransformer(SIZES["nano"], 28)
    model = Segmenter(backbone, UperNet(backbone.spec.dim, CLASSES, 8, 4)).eval()
    config = CONFIG.model_copy(update={"task": "segmentation", "samples": SamplesConfig(label_set="cover"), "batch_size": 2})
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(5, 4, 128, 2, 2)).astype(np.float16), rng.integers(0, 3, (5, 28, 28)).astype(np.uint8)
    with torch.no_grad():
        predicted = model.from_features(torch.from_numpy(features.astype(np.float32)), (28, 28)).argmax(dim=1).numpy() + 1
    known = targets > 0
    hits = [((predicted == value) & (targets == value)).sum() for value in (1, 2)]
    unions = [(((predicted == value) | (targets == value)) & known).sum() for value in (1, 2)]
    wanted = np.mean([hit / union for hit, union in zip(hits, unions, strict=True)])
    assert validate(model, features, targets, np.arange(5), CLASSES, config, CPU) == pytest.approx(wanted)
