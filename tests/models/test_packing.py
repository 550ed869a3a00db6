"""Tokens of several views in one matrix: attention and stochastic depth on it."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import attention
from models.block import Block
from models.packing import Packing, draw

CPU = torch.device("cpu")
SHAPES = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 5)), min_size=1, max_size=3).map(tuple)


@given(SHAPES)
def test_unpacking_undoes_packing(shapes):
    views = [torch.randn(images, length, 2) for images, length in shapes]
    packing = Packing.of(views)
    for view, back in zip(views, packing.unpack(packing.pack(views)), strict=True):
        assert torch.equal(view, back)


@given(SHAPES, st.floats(0.05, 1.0))
def test_a_draw_takes_whole_images_and_keeps_the_expected_sum(shapes, rate):
    subset = draw(Packing(shapes, CPU), rate)
    image_of_row = torch.cat([torch.arange(b).repeat_interleave(n) + 100 * v for v, (b, n) in enumerate(shapes)])
    view_of_row = image_of_row // 100
    drawn_rows = image_of_row[subset.rows]
    for view, (images, length) in enumerate(shapes):
        drawn = drawn_rows[drawn_rows // 100 == view]
        assert len(drawn.unique()) == max(1, int(images * rate))
        assert (torch.bincount(drawn - 100 * view)[drawn.unique() - 100 * view] == length).all()
        assert torch.isclose(subset.scale[view_of_row[subset.rows] == view].sum(), torch.tensor(float(images * length)))


def test_every_image_is_drawn_sooner_or_later():
    torch.manual_seed(0)
    packing = Packing(((10, 1),), torch.device("cpu"))
    assert {row for _ in range(30) for row in draw(packing, 0.3).rows.tolist()} == set(range(10))


def test_an_image_that_is_not_drawn_passes_unchanged():
    torch.manual_seed(0)
    block = Block(dim=12, mlp_dim=24, heads=3, layer_scale=None, drop_path=0.5).train()
    views = [torch.randn(8, 5, 12), torch.randn(4, 3, 12)]
    packing = Packing.of(views)
    unchanged = block.add(packing.pack(views), packing, lambda rows, _: torch.ones_like(rows))
    for view, after in zip(views, packing.unpack(unchanged), strict=True):
        added = (after - view).flatten(1)
        assert torch.allclose(added.sum(0), torch.tensor(float(len(view))))  # half of the images, each by a factor of two
        assert ((added.abs() < 1e-6).all(1) | ((added - 2).abs() < 1e-6).all(1)).all()


def test_nothing_is_dropped_outside_training():
    block = Block(dim=12, mlp_dim=24, heads=3, layer_scale=None, drop_path=0.9).eval()
    tokens = torch.randn(20, 12)
    packing = Packing(((4, 5),), CPU)
    assert torch.equal(block(tokens, packing), block(tokens, packing))


def test_sequence_starts_are_those_of_variable_length_kernels():
    packing = Packing(((2, 5), (3, 2)), CPU)
    assert packing.sequence_starts.tolist() == [0, 5, 10, 12, 14, 16]
    assert packing.sequence_starts.dtype == torch.int32
    assert packing.longest == 5


def test_attention_stays_within_an_image():
    packing = Packing(((2, 5), (3, 2)), CPU)
    qkv = torch.randn(16, 3, 2, 4)
    output = attention.attend(qkv, packing)
    starts = packing.sequence_starts.tolist()
    for start, end in pairwise(starts):
        query, key, value = qkv[start:end].permute(1, 2, 0, 3)
        expected = torch.softmax(query @ key.transpose(1, 2) / 2.0, dim=-1) @ value
        torch.testing.assert_close(output[start:end], expected.transpose(0, 1).flatten(1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: half-precision attention kernels run there alone")
def test_on_a_gpu_half_precision_views_attend_as_in_single_precision():
    packing = Packing(((2, 50), (6, 17)), torch.device("cuda"))
    qkv = torch.randn(202, 3, 2, 64, device="cuda")
    output = attention.attend(qkv.bfloat16(), packing)
    torch.testing.assert_close(output.float(), attention.attend(qkv, packing), atol=3e-2, rtol=3e-2)
