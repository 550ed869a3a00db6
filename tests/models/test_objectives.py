"""Losses, centring, teacher and schedules against their equations, spelled out as loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from models.objectives.centring import MovingAverageCentre, sinkhorn_knopp
from models.objectives.class_token import class_token_loss, view_pairs
from models.objectives.ema import update_teacher
from models.objectives.masked_patch import masked_patch_loss
from models.objectives.schedules import linear_warmup, warmup_cosine


def distributions(*shape):
    return torch.softmax(torch.randn(*shape), dim=-1)


def cross_entropy(teacher, student, temperature):
    student = torch.softmax(student / temperature, dim=-1)
    return -sum(p * math.log(q) for p, q in zip(teacher.tolist(), student.tolist(), strict=True))


def test_class_token_loss_is_equation_2_over_the_local_views():
    student, teacher = torch.rand(5, 3, 7), distributions(2, 3, 7)
    pairs = view_pairs(2, 3, global_to_global=False)
    terms = [cross_entropy(teacher[t, image], student[s, image], 0.1) for t in range(2) for s in range(2, 5) for image in range(3)]
    assert class_token_loss(student, teacher, pairs).item() == pytest.approx(sum(terms) / len(terms), rel=1e-5)


def test_class_token_loss_with_globals_is_dinov2s():
    student, teacher = torch.rand(10, 4, 7), distributions(2, 4, 7)
    pairs = view_pairs(2, 8, global_to_global=True)
    # DINOv2: the sum over local pairs and twice the mean over the swapped global views, over 2 + 16 terms.
    local = sum(cross_entropy(teacher[t, i], student[s, i], 0.1) / 4 for t in range(2) for s in range(2, 10) for i in range(4))
    swapped = sum(cross_entropy(teacher[1 - s, i], student[s, i], 0.1) / 8 for s in range(2) for i in range(4))
    assert class_token_loss(student, teacher, pairs).item() == pytest.approx((local + 2 * swapped) / 18, rel=1e-5)


def test_a_view_is_never_compared_with_itself():
    assert view_pairs(2, 1, global_to_global=True).tolist() == [[False, True, True], [True, False, True]]
    assert view_pairs(2, 1, global_to_global=False).tolist() == [[False, False, True], [False, False, True]]


def test_masked_patch_loss_is_equation_3_averaged_by_image():
    masks = torch.tensor([[True, False, True, True], [False, False, False, False], [False, True, False, False]])
    student, teacher = torch.rand(4, 6), distributions(4, 6)
    terms = [cross_entropy(teacher[m], student[m], 0.1) for m in range(4)]
    expected = (sum(terms[:3]) / 3 + 0 + terms[3]) / 3
    assert masked_patch_loss(student, teacher, masks).item() == pytest.approx(expected, rel=1e-5)


def test_only_the_student_gets_gradients_and_they_are_those_of_softmax():
    student, teacher = torch.rand(1, 6, requires_grad=True), distributions(1, 6)
    masked_patch_loss(student, teacher, torch.tensor([[True]]), temperature=1.0).backward()
    torch.testing.assert_close(student.grad, torch.softmax(student.detach(), -1) - teacher)


def sinkhorn_loop(outputs, temperature, iterations):
    """The loop of SwAV and DINOv2, in double precision."""
    matrix = torch.exp(outputs.double() / temperature).T
    prototypes, samples = matrix.shape
    matrix /= matrix.sum()
    for _ in range(iterations):
        matrix /= matrix.sum(dim=1, keepdim=True) * prototypes
        matrix /= matrix.sum(dim=0, keepdim=True) * samples
    return (matrix * samples).T.float()


@given(st.integers(1, 12), st.integers(1, 20), st.floats(0.03, 1.0), st.integers(1, 4), st.integers(0, 999))
def test_sinkhorn_is_the_loop_of_dinov2(samples, prototypes, temperature, iterations, seed):
    outputs = torch.rand(samples, prototypes, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    ours = sinkhorn_knopp(outputs, temperature, iterations)
    torch.testing.assert_close(ours, sinkhorn_loop(outputs, temperature, iterations), atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(ours.sum(dim=1), torch.ones(samples))


def test_sinkhorn_uses_every_prototype_equally_when_iterated():
    targets = sinkhorn_knopp(torch.rand(64, 16), 0.5, iterations=100)
    torch.testing.assert_close(targets.sum(dim=0), torch.full((16,), 4.0), atol=1e-3, rtol=0)


def test_sinkhorn_spreads_samples_that_all_prefer_one_prototype():
    outputs = torch.rand(32, 8) * 0.1
    outputs[:, 3] += 0.5
    assert (torch.softmax(outputs / 0.05, -1).argmax(-1) == 3).all()
    assert len(sinkhorn_knopp(outputs, 0.05, iterations=10).argmax(-1).unique()) == 8


def test_sinkhorn_stays_finite_at_any_temperature():
    targets = sinkhorn_knopp(torch.tensor([[1.0, -1.0, 0.0], [-1.0, -1.0, -0.9], [1.0, 1.0, 1.0]]), 0.001)
    assert targets.isfinite().all()
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(3))


def test_moving_average_centre_lags_by_one_batch():
    centring = MovingAverageCentre(prototypes=3, momentum=0.9)
    first, second = torch.randn(4, 3), torch.randn(4, 3)
    torch.testing.assert_close(centring(first, 0.05), torch.softmax(first / 0.05, dim=-1))
    centre = 0.1 * first.mean(dim=0)
    torch.testing.assert_close(centring.centre, centre)
    torch.testing.assert_close(centring(second, 0.05), torch.softmax((second - centre) / 0.05, dim=-1))
    torch.testing.assert_close(centring.centre, 0.9 * centre + 0.1 * second.mean(dim=0))


def test_update_teacher_is_equation_5():
    teacher, student = nn.Linear(3, 2), nn.Linear(3, 2)
    before = [parameter.detach().clone() for parameter in teacher.parameters()]
    update_teacher(teacher, student, momentum=0.992)
    for old, now, theirs in zip(before, teacher.parameters(), student.parameters(), strict=True):
        torch.testing.assert_close(now, 0.992 * old + 0.008 * theirs)


@pytest.mark.parametrize(("step", "expected"), [(0, 0.0), (5, 0.5), (10, 1.0), (60, 0.55), (110, 0.1), (500, 0.1)])
def test_warmup_cosine_passes_through_its_corners(step, expected):
    assert warmup_cosine(step, 110, warmup_steps=10, peak=1.0, final=0.1) == pytest.approx(expected)


@pytest.mark.parametrize(("step", "expected"), [(0, 0.04), (15, 0.055), (30, 0.07), (99, 0.07)])
def test_linear_warmup_is_dinos_teacher_temperature(step, expected):
    assert linear_warmup(step, 30, 0.04, 0.07) == pytest.approx(expected)


def test_a_warmup_of_no_steps_starts_at_its_end():
    assert linear_warmup(0, 0, 0.04, 0.07) == 0.07
    assert warmup_cosine(0, 10, warmup_steps=0, peak=1.0, final=0.0) == 1.0
