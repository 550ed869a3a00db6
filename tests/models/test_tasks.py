"""Heads learn on frozen features, and what is exported computes the same."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional

from eartheye.errors import InvalidConfig
from models.heads.linear import LinearHead, scene_features
from models.heads.upernet import UperNet, pool
from models.tasks import QuantisedSegmenter, SceneClassifier, Segmenter
from models.vit import Tokens, VisionTransformer, VitSpec

TINY = VitSpec(layers=4, dim=32, mlp_dim=64, heads=2, layer_scale=None, drop_path=0.5)


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return VisionTransformer(TINY, 56)


def spread(head):
    """Scores far enough apart that probabilities are not all 1 / K."""
    nn.init.normal_(head.classify.weight, std=2.0)
    return head


def through_onnx(module, images, path):
    """Export with a free batch axis from a batch of another size, and run."""
    batch = torch.export.Dim("batch", min=1, max=64)
    example = torch.zeros(2, *images.shape[1:])
    torch.onnx.export(
        module, (example,), path, dynamo=True, dynamic_shapes=({0: batch},), input_names=["images"], output_names=["output"], verbose=False
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"images": images.numpy()})[0]


def test_a_scene_is_its_class_token_beside_the_mean_of_its_patches():
    tokens = Tokens(torch.tensor([[1.0, 2.0]]), torch.tensor([[[0.0, 4.0], [2.0, 8.0], [4.0, 0.0]]]))
    assert scene_features(tokens).tolist() == [[1.0, 2.0, 2.0, 4.0]]


def test_the_scene_head_learns_from_cached_features(backbone):
    torch.manual_seed(0)
    classifier = SceneClassifier(backbone, LinearHead(32, 2))
    labels = torch.arange(12) % 2
    images = torch.randn(12, 3, 28, 28) + labels[:, None, None, None] * 3
    features = classifier.features(images)
    optimizer = torch.optim.SGD(classifier.head.parameters(), lr=0.1, momentum=0.9)
    for _ in range(60):
        optimizer.zero_grad()
        functional.cross_entropy(classifier.from_features(features), labels).backward()
        optimizer.step()
    probabilities = classifier(images)
    assert features.shape == (12, 64)
    assert (probabilities.argmax(1) == labels).all()
    torch.testing.assert_close(probabilities.sum(1), torch.ones(12))


def test_the_segmentation_head_learns_from_cached_features(backbone):
    torch.manual_seed(0)
    segmenter = Segmenter(backbone, UperNet(32, 2, width=16))
    labels = torch.zeros(4, 56, 56, dtype=torch.long)
    labels[:, :, 28:] = 1
    labels[2:] = 1 - labels[2:]
    images = torch.randn(4, 3, 56, 56) * 0.1 + labels[:, None] * 2.0
    features = segmenter.features(images)
    optimizer = torch.optim.AdamW(segmenter.head.parameters(), lr=5e-3)
    for _ in range(40):
        optimizer.zero_grad()
        functional.cross_entropy(segmenter.from_features(features, (56, 56)), labels).backward()
        optimizer.step()
    assert features.shape == (4, 4, 32, 4, 4)
    assert (segmenter.eval()(images).argmax(1) == labels).float().mean() > 0.95


@pytest.mark.parametrize("kind", [SceneClassifier, Segmenter])
def test_a_task_model_trains_its_head_alone(backbone, kind):
    head = LinearHead(32, 2) if kind is SceneClassifier else UperNet(32, 2, width=8)
    model = kind(backbone, head).train()
    assert not any(module.training for module in model.backbone.modules())
    assert all(module.training for module in model.head.modules())
    assert {name.split(".")[0] for name, parameter in model.named_parameters() if parameter.requires_grad} == {"head"}
    images = torch.randn(2, 3, 56, 56)
    assert torch.equal(model.features(images), model.features(images))


def test_a_segmentation_does_not_depend_on_the_rest_of_the_batch(backbone):
    segmenter = Segmenter(backbone, spread(UperNet(32, 5, width=8))).eval()
    images = torch.randn(3, 3, 56, 42)
    together = segmenter(images)
    assert together.shape == (3, 5, 56, 42)
    torch.testing.assert_close(together.sum(1), torch.ones(3, 56, 42))
    for number in range(3):
        torch.testing.assert_close(segmenter(images[number : number + 1])[0], together[number], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("grid", "bins"), [((4, 4), (1, 1)), ((5, 7), (3, 2)), ((4, 4), (6, 6)), ((19, 19), (6, 6)), ((5, 5), (3, 3))])
def test_pooling_is_pytorchs_adaptive_pooling(grid, bins):
    field = torch.randn(2, 3, *grid)
    torch.testing.assert_close(pool(field, *bins), functional.adaptive_avg_pool2d(field, bins))


@pytest.mark.parametrize("finest", [2, 4])
def test_the_head_gives_its_finest_grid_of_odd_and_oblong_images(finest):
    found = UperNet(32, 7, width=8, finest=finest)([torch.randn(2, 32, 5, 3) for _ in range(4)])
    assert found.shape == (2, 7, 5 * finest, 3 * finest)


def test_the_exported_scene_classifier_computes_the_same(backbone, tmp_path):
    classifier = SceneClassifier(backbone, LinearHead(32, 4)).eval()
    nn.init.normal_(classifier.head.weight)
    images = torch.randn(5, 3, 56, 56)
    with torch.no_grad():
        np.testing.assert_allclose(through_onnx(classifier, images, tmp_path / "scene.onnx"), classifier(images), atol=1e-5)


@pytest.mark.parametrize(("image_size", "finest"), [(56, 4), (70, 4), (70, 2)])
def test_the_exported_segmenter_computes_the_same(backbone, tmp_path, image_size, finest):
    exported = QuantisedSegmenter(Segmenter(backbone, spread(UperNet(32, 3, width=8, finest=finest))), image_size)
    images = torch.randn(5, 3, image_size, image_size)
    ours = exported(images)
    theirs = through_onnx(exported, images, tmp_path / "segmenter.onnx")
    assert theirs.dtype == np.uint8
    assert theirs.shape == (5, 3, image_size, image_size)
    assert len(np.unique(theirs)) > 50
    assert np.abs(theirs.astype(int) - ours.numpy().astype(int)).max() <= 1


def test_quantised_probabilities_are_in_256_steps_and_leave_the_segmenter_as_it_was(backbone):
    segmenter = Segmenter(backbone, spread(UperNet(32, 3, width=8)))
    exported = QuantisedSegmenter(segmenter, 70)
    images = torch.randn(2, 3, 70, 70)
    assert segmenter.head.training
    assert segmenter.backbone.grid == 4
    assert torch.equal(exported(images), torch.round(255 * segmenter.eval()(images)).to(torch.uint8))


def test_an_image_size_that_does_not_divide_is_refused(backbone):
    with pytest.raises(InvalidConfig, match="choose multiples"):
        QuantisedSegmenter(Segmenter(backbone, UperNet(32, 3, width=8)), 60)
