"""One step of self-supervised pretraining, and that steps learn."""

import math
from dataclasses import replace

import pytest
import torch

from models.objectives.centring import sinkhorn_knopp
from models.objectives.class_token import class_token_loss, view_pairs
from models.objectives.masked_patch import masked_patch_loss
from models.pretraining import SelfSupervised, entropy, feature_std
from models.projection import ProjectionHead, ProjectionSpec
from models.vit import VisionTransformer, VitSpec

TINY = VitSpec(layers=2, dim=32, mlp_dim=64, heads=2, layer_scale=None, patch_size=8)
HEAD = ProjectionSpec(hidden=64, bottleneck=16, prototypes=24)


@pytest.fixture
def batch():
    torch.manual_seed(3)
    masks = torch.rand(2, 6, 16) < 0.4
    masks[:, :, 0] = True
    site = torch.randn(6, 3, 1, 1) * 2  # its colour, the same in all views
    return site + torch.randn(2, 6, 3, 32, 32) * 0.5, masks, site + torch.randn(4, 6, 3, 16, 16) * 0.5


@pytest.fixture
def model():
    torch.manual_seed(0)
    return SelfSupervised(VisionTransformer(TINY, 32), HEAD)


@pytest.mark.parametrize("asked", [{}, {"global_to_global": False}, {"global_to_global": True}])
def test_the_losses_are_those_of_views_one_by_one(batch, asked):
    model = SelfSupervised(VisionTransformer(TINY, 32), HEAD, **asked)
    global_views, masks, local_views = batch
    losses = model.losses(*batch, teacher_temperature=0.05)
    with torch.no_grad():
        teacher = [model.teacher.backbone(view) for view in global_views]
        masked = [model.student.backbone(view, mask) for view, mask in zip(global_views, masks, strict=True)]
        tokens = [view.cls for view in masked] + [model.student.backbone(view).cls for view in local_views]
        student = torch.stack([model.student.class_head(view) for view in tokens])
        targets = sinkhorn_knopp(model.teacher.class_head(torch.cat([view.cls for view in teacher])), 0.05)
        pairs = view_pairs(2, 4, global_to_global=asked.get("global_to_global", False))  # where nothing is said, equation (2) of the report
        cls = class_token_loss(student, targets.unflatten(0, (2, 6)), pairs)
        seen, hidden = (torch.cat([view.patches for view in views])[masks.flatten(0, 1)] for views in (teacher, masked))
        patch_targets = sinkhorn_knopp(model.teacher.patch_head(seen), 0.05)
        patch = masked_patch_loss(model.student.patch_head(hidden), patch_targets, masks.flatten(0, 1))
    torch.testing.assert_close(losses.cls, cls)
    torch.testing.assert_close(losses.patch, patch)
    torch.testing.assert_close(losses.total.detach(), cls + patch)


def test_class_and_patch_tokens_have_each_a_centre_of_their_own(batch):
    model = SelfSupervised(VisionTransformer(TINY, 32), HEAD, "moving_average")
    global_views, masks, _ = batch
    tokens = model.teacher.backbone(global_views.flatten(0, 1))
    model.losses(*batch, teacher_temperature=0.05)
    torch.testing.assert_close(model.class_centre.centre, 0.1 * model.teacher.class_head(tokens.cls).mean(dim=0))
    torch.testing.assert_close(model.patch_centre.centre, 0.1 * model.teacher.patch_head(tokens.patches[masks.flatten(0, 1)]).mean(dim=0))


@pytest.mark.parametrize("centring", ["sinkhorn_knopp", "moving_average"])
def test_every_part_of_the_student_learns_and_none_of_the_teacher(batch, centring):
    model = SelfSupervised(VisionTransformer(replace(TINY, drop_path=0.3, layer_scale=0.1), 32), HEAD, centring)
    model(*batch, teacher_temperature=0.05).total.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.student.parameters())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in model.teacher.parameters())


def test_training_lowers_the_loss_and_does_not_collapse(model, batch):
    optimizer = torch.optim.AdamW(model.student.parameters(), lr=2e-3)
    trace = []
    for _ in range(40):
        losses = model.losses(*batch, teacher_temperature=0.05)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        model.update_teacher(0.9)
        trace.append(losses)
    assert trace[-1].total.item() < trace[0].total.item() - 1
    assert trace[-1].feature_std.item() > 0.5


def test_the_teacher_starts_as_the_student_and_follows(model):
    before = {name: tensor.clone() for name, tensor in model.teacher.state_dict().items()}
    torch.testing.assert_close(before, dict(model.student.state_dict()))
    with torch.no_grad():
        model.student.backbone.norm.bias.add_(1.0)
    model.update_teacher(0.992)
    torch.testing.assert_close(model.teacher.backbone.norm.bias, before["backbone.norm.bias"] + 0.008)


def test_the_teacher_never_drops_a_path():
    model = SelfSupervised(VisionTransformer(replace(TINY, drop_path=0.5), 32), HEAD).eval().train()
    assert model.student.training
    assert not any(module.training for module in model.teacher.modules())


def test_entropy_and_feature_std_know_a_collapse():
    assert entropy(torch.full((5, 8), 1 / 8)).item() == pytest.approx(math.log(8))
    assert entropy(torch.eye(8)).item() == 0
    assert feature_std(torch.randn(4000, 64)).item() == pytest.approx(1, abs=0.02)
    assert feature_std(torch.randn(1, 64).expand(50, 64)).item() == pytest.approx(0, abs=1e-6)


def test_the_head_gives_cosines_whatever_the_length_of_its_prototypes():
    head = ProjectionHead(32, HEAD)
    outputs = head(torch.randn(10, 32) * 100)
    assert outputs.shape == (10, 24)
    assert outputs.abs().max() <= 1 + 1e-6
    with torch.no_grad():
        head.prototypes.mul_(7.0)
        tokens = torch.randn(3, 32)
        scaled = head(tokens)
        head.prototypes.div_(7.0)
        torch.testing.assert_close(head(tokens), scaled)
