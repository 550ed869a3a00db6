"""Mapping in blocks gives what mapping in one pass gives, bit by bit."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from eartheye.blocks import Lattice, Window, cut_blocks, map_window
from eartheye.blocks.blend import FULL_WEIGHT, first_of_largest, flank_weights
from eartheye.contracts import ClassSpec, ImageSpec, ServingPackage
from eartheye.store import Bulk


def package(input_px: int, overlap: float, classes: int = 3, batch_size: int = 4) -> ServingPackage:
    bulk = Bulk(name="model.onnx", size=0, sha256="0" * 64)
    image = ImageSpec(bands=("red",), dtype="uint8", mean=(0.0,), std=(1.0,), gsd_m=None, gsd_range_m=None)
    specs = tuple(ClassSpec(value=10 * (k + 1), name=f"class {k}", colour="#000000") for k in range(classes))
    return ServingPackage(
        made_from="",
        title="test",
        task="segmentation",
        model_digest="",
        onnx=bulk,
        golden=bulk,
        image=image,
        input_px=input_px,
        overlap=overlap,
        batch_size=batch_size,
        classes=specs,
        parity=0.0,
        licence=(),
        attribution=(),
    )


def reader(image: NDArray[np.float32], valid: NDArray[np.bool_]) -> Callable[[Window], tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Read a (C, H, W) image, and nothing but invalid zeros beyond its edges."""

    def read(window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        out = np.zeros((len(image), window.height, window.width), np.float32)
        inside = np.zeros((window.height, window.width), bool)
        top, left = max(window.row, 0), max(window.column, 0)
        bottom, right = min(window.bottom, image.shape[1]), min(window.right, image.shape[2])
        if top < bottom and left < right:
            here = slice(top - window.row, bottom - window.row), slice(left - window.column, right - window.column)
            out[:, *here] = image[:, top:bottom, left:right]
            inside[here] = valid[top:bottom, left:right]
        return out * inside, inside

    return read


def predict_by_place(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Three classes whose probabilities depend on the pixel, on its place in the tile and on the rest of the tile."""
    place = np.add.outer(np.arange(images.shape[2]), 3 * np.arange(images.shape[3]))
    first = images[:, 0].astype(np.int64) * 7 + place + images.sum((1, 2, 3)).astype(np.int64)[:, None, None]
    return np.stack([first % 251, (first // 3) % 241, (first * 5) % 239], axis=1).astype(np.uint8)


def scene(height: int, width: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    random = np.random.default_rng(seed)
    valid = np.ones((height, width), bool)
    valid[random.integers(height) :, random.integers(width) :] = False
    return random.integers(0, 256, (1, height, width)).astype(np.float32), valid


def test_tiles_touching_a_stretch_are_those_that_cover_one_of_its_pixels():
    lattice = Lattice.of(8, 0.25)
    for start in range(40):
        for length in range(1, 20):
            stretch = range(start, start + length)
            covering = [tile for tile in range(20) if set(range(6 * tile, 6 * tile + 8)) & set(stretch)]
            assert list(lattice.touching(start, length)) == covering


@pytest.mark.parametrize("input_px", [1, 2, 7, 64, 518])
@pytest.mark.parametrize("overlap", [0.0, 0.1, 0.25, 0.5])
def test_weights_of_neighbouring_tiles_add_up_and_none_is_zero(input_px, overlap):
    lattice = Lattice.of(input_px, overlap)
    weights = flank_weights(lattice)
    assert weights.min() >= 1
    line = np.zeros(lattice.stride_px * 3 + lattice.input_px, int)
    for tile in range(4):
        line[tile * lattice.stride_px :][: lattice.input_px] += weights
    assert (line[lattice.overlap_px : len(line) - lattice.overlap_px] == FULL_WEIGHT).all()


def test_weights_rise_and_fall_as_a_hann_window():
    hann = [(1 - np.cos(2 * np.pi * (place + 0.5) / 8)) / 2 for place in range(8)]
    assert np.abs(flank_weights(Lattice(8, 4)) / FULL_WEIGHT - hann).max() <= 0.5 / FULL_WEIGHT


def test_of_equally_probable_classes_the_first_wins():
    sums = np.array([[[1, 5, 3]], [[4, 5, 3]], [[4, 2, 3]]], np.int32)
    assert first_of_largest(sums).tolist() == [[1, 0, 0]]


@settings(max_examples=50)
@given(
    st.integers(0, 200),
    st.integers(1, 300),
    st.integers(0, 200),
    st.integers(1, 300),
    st.integers(5, 120),
    st.sampled_from([1, 16, 50, 512]),
)
def test_blocks_cover_an_area_once_and_end_at_multiples_of_the_files_blocks(column, width, row, height, block_px, file_block):
    area = Window(column, row, width, height)
    covered = np.zeros((height, width), int)
    blocks = cut_blocks(area, block_px, (file_block, file_block))
    for block in blocks:
        covered[block.window.row - row : block.window.bottom - row, block.window.column - column : block.window.right - column] += 1
        if block.window.right < area.right and file_block <= block_px:
            assert block.window.right % file_block == 0
    assert (covered == 1).all()
    assert len({block.name for block in blocks}) == len(blocks)


def test_blocks_are_named_by_row_and_column():
    blocks = cut_blocks(Window(100, 0, 2000, 600), 1000, (256, 256))
    assert [(block.name, *block.window) for block in blocks] == [
        ("r0000c0000", 100, 0, 924, 600),
        ("r0000c0001", 1024, 0, 1024, 600),
        ("r0000c0002", 2048, 0, 52, 600),
    ]


@settings(max_examples=60)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 24),
    st.sampled_from([0.0, 0.1, 0.25, 0.5]),
    st.integers(3, 60),
    st.integers(1, 5),
    st.data(),
)
def test_blocks_of_any_size_give_what_one_pass_gives(height, width, input_px, overlap, block_px, batch_size, data):
    image, valid = scene(height, width, data.draw(st.integers(0, 2**31)))
    column, row = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    area = Window(column, row, width - column, height - row)
    model, read = package(input_px, overlap, batch_size=batch_size), reader(image, valid)
    whole = map_window(read, predict_by_place, model, area, (column, row))
    blocked = np.empty_like(whole)
    for _, window in cut_blocks(area, block_px, (16, 4)):
        here = slice(window.row - row, window.bottom - row), slice(window.column - column, window.right - column)
        blocked[here] = map_window(read, predict_by_place, model, window, (column, row))
    np.testing.assert_array_equal(blocked, whole)
    assert ((whole > 0) == valid[row:, column:]).all()


def test_blending_is_the_argmax_of_the_weighted_sums_over_all_tiles():
    image, valid = scene(50, 40, seed=3)
    valid[:] = True
    model, lattice = package(16, 0.25), Lattice.of(16, 0.25)
    sums = np.zeros((3, 80, 80), np.int64)
    weights = np.outer(flank_weights(lattice), flank_weights(lattice))
    for row in range(0, 50, 12):
        for column in range(0, 40, 12):
            tile, _ = reader(image, valid)(Window(column, row, 16, 16))
            sums[:, row : row + 16, column : column + 16] += predict_by_place(tile[None])[0] * weights
    expected = np.array([10, 20, 30])[sums.argmax(axis=0)][:50, :40]
    np.testing.assert_array_equal(map_window(reader(image, valid), predict_by_place, model, Window(0, 0, 40, 50), (0, 0)), expected)


def test_a_window_without_data_is_mapped_to_zero_without_asking_the_model():
    def predict(images: NDArray[np.float32]) -> NDArray[np.uint8]:
        raise AssertionError("asked")

    image, valid = np.ones((1, 30, 30), np.float32), np.zeros((30, 30), bool)
    assert not map_window(reader(image, valid), predict, package(8, 0.25), Window(0, 0, 30, 30), (0, 0)).any()


def test_memory_is_bounded_by_a_row_of_tiles_and_each_pixel_is_read_once():
    asked: list[Window] = []
    image, valid = scene(200, 60, seed=0)

    def read(window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        asked.append(window)
        return reader(image, valid)(window)

    map_window(read, predict_by_place, package(16, 0.25), Window(0, 0, 60, 200), (0, 0))
    assert max(window.height for window in asked) == 16
    assert all(upper.bottom == lower.row for upper, lower in pairwise(asked))


@pytest.fixture(scope="module")
def convolution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real network: convolution, softmax, 255 times the probability as uint8."""
    random = np.random.default_rng(1)
    kernel = helper.make_tensor("kernel", TensorProto.FLOAT, (5, 3, 5, 5), random.normal(0, 0.5, 375))
    top, half = helper.make_tensor("top", TensorProto.FLOAT, (), [255.0]), helper.make_tensor("half", TensorProto.FLOAT, (), [0.5])
    nodes = [
        helper.make_node("Conv", ["images", "kernel"], ["scores"], pads=[2, 2, 2, 2]),
        helper.make_node("Softmax", ["scores"], ["shares"], axis=1),
        helper.make_node("Mul", ["shares", "top"], ["scaled"]),
        helper.make_node("Add", ["scaled", "half"], ["shifted"]),
        helper.make_node("Cast", ["shifted"], ["probabilities"], to=TensorProto.UINT8),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ("n", 3, 32, 32))
    probabilities = helper.make_tensor_value_info("probabilities", TensorProto.UINT8, ("n", 5, 32, 32))
    graph = helper.make_graph(nodes, "convolution", [images], [probabilities], [kernel, top, half])
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@settings(max_examples=8)
@given(st.integers(20, 150), st.integers(20, 150), st.integers(24, 80), st.sampled_from([0.0, 0.2, 0.25]))
def test_blocks_through_a_real_model_give_what_one_pass_gives(convolution, height, width, block_px, overlap):
    session = onnxruntime.InferenceSession(convolution, providers=["CPUExecutionProvider"])
    model = package(32, overlap, classes=5)

    def predict(images: NDArray[np.float32]) -> NDArray[np.uint8]:
        full = np.zeros((model.batch_size, *images.shape[1:]), np.float32)
        full[: len(images)] = images
        return session.run(None, {"images": full})[0][: len(images)]

    image = np.random.default_rng(height * width).normal(0, 1, (3, height, width)).astype(np.float32)
    read, area = reader(image, np.ones((height, width), bool)), Window(0, 0, width, height)
    whole = map_window(read, predict, model, area, (0, 0))
    assert len(np.unique(whole)) == 5
    for _, window in cut_blocks(area, block_px, (1, 1)):
        np.testing.assert_array_equal(
            map_window(read, predict, model, window, (0, 0)), whole[window.row : window.bottom, window.column : window.right]
        )
