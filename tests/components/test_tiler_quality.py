import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from components.tiler.lattice import cover
from components.tiler.moments import Moments
from components.tiler.quality import cloud_share, entropy_bit, measure, sharpness

RNG = np.random.default_rng(0)
ALL = np.ones((128, 128), np.bool_)
RGB = ("red", "green", "blue")


def blurred(image, pixels):
    """Convolved with a Gaussian of so many pixels, by its Fourier transform."""
    frequency = np.fft.fftfreq(image.shape[0])[:, None] ** 2 + np.fft.fftfreq(image.shape[1])[None, :] ** 2
    return np.fft.ifft2(np.fft.fft2(image) * np.exp(-2 * (np.pi * pixels) ** 2 * frequency)).real.astype(np.float32)


def test_sharpness_of_white_noise_is_5_at_any_contrast():
    noise = RNG.normal(100, 1, (512, 512)).astype(np.float32)
    for gain in (1, 50):
        assert sharpness(noise * gain, np.ones((512, 512), np.bool_)) == pytest.approx(5, rel=0.03)


def test_sharpness_falls_with_the_square_of_the_blur():
    noise = RNG.normal(100, 30, (512, 512)).astype(np.float32)
    valid = np.ones((512, 512), np.bool_)
    two, four = (sharpness(blurred(noise, pixels), valid) for pixels in (2, 4))
    assert two / four == pytest.approx(4, rel=0.15)


def test_sharpness_is_not_taken_over_the_edge_of_the_data():
    smooth = np.broadcast_to(np.arange(128, dtype=np.float32), (128, 128)).copy()
    holed, valid = smooth.copy(), ALL.copy()
    holed[40:60, 40:60], valid[40:60, 40:60] = 0, False
    assert sharpness(holed, valid) == pytest.approx(sharpness(smooth, ALL), abs=1e-6)
    assert sharpness(np.full((128, 128), 7, np.float32), ALL) == 0
    assert sharpness(np.zeros((2, 9), np.float32), np.ones((2, 9), np.bool_)) == 0


def test_entropy_is_that_of_the_grey_values():
    halves = np.zeros((128, 128), np.float32)
    halves[:, 64:] = 200
    assert entropy_bit(halves, ALL, full_scale_known=True) == pytest.approx(1)
    assert entropy_bit(np.full((128, 128), 9, np.float32), ALL, full_scale_known=True) == 0
    every = np.arange(256, dtype=np.float32).repeat(64).reshape(128, 128)
    assert entropy_bit(every, ALL, full_scale_known=True) == pytest.approx(8)


def test_entropy_of_other_types_does_not_depend_on_their_scale():
    image = RNG.gamma(4, 25, (128, 128)).astype(np.float32)
    known, unknown = entropy_bit(image, ALL, full_scale_known=False), entropy_bit(image * 37, ALL, full_scale_known=False)
    assert known == pytest.approx(unknown)
    assert entropy_bit(np.zeros((128, 128), np.float32), ALL, full_scale_known=False) == 0


def city():
    return RNG.integers(30, 150, (3, 128, 128), np.uint8)


def test_a_cloud_is_bright_white_and_smooth():
    image = city()
    image[:, 32:96, 32:96] = 230
    assert cloud_share(image, ALL) == pytest.approx(0.25, abs=0.03)
    assert measure(image, ALL, RGB).clear == pytest.approx(0.75, abs=0.03)


def test_cloud_is_a_share_of_what_has_data():
    image, valid = city(), ALL.copy()
    image[:, :64, 32:96] = 230
    image[:, 64:], valid[64:] = 0, False
    assert cloud_share(image, valid) == pytest.approx(0.5, abs=0.06)


def test_bright_colours_rough_ground_and_single_roofs_are_no_cloud():
    yellow, rough, roof = city(), city(), city()
    yellow[:, 32:96, 32:96] = np.array([240, 220, 150])[:, None, None]
    rough[:, 32:96, 32:96] = RNG.integers(180, 255, (1, 64, 64))
    roof[:, 40:56, 40:56] = 240
    assert [cloud_share(image, ALL) for image in (yellow, rough, roof)] == [0, 0, 0]


def test_clouds_are_told_only_in_8_bit_colours():
    assert measure(np.full((1, 16, 16), 255, np.uint8), np.ones((16, 16), np.bool_), ("pan",)).clear is None
    assert measure(np.full((3, 16, 16), 255, np.uint16), np.ones((16, 16), np.bool_), RGB).clear is None
    four = np.full((4, 16, 16), 240, np.uint8)
    assert measure(four, np.ones((16, 16), np.bool_), ("nir", *RGB)).clear == 0


@given(st.data())
def test_moments_added_over_tiles_are_those_of_all_pixels(data):
    dtype = data.draw(st.sampled_from([np.uint8, np.uint16, np.int16]))
    tiles = [data.draw(hnp.arrays(dtype, (2, 5, 7))) for _ in range(3)]
    masks = [data.draw(hnp.arrays(np.bool_, (5, 7))) for _ in range(3)]
    masks[0][0, 0] = True
    total = None
    for tile, valid in zip(tiles, masks, strict=True):
        tile[:, ~valid] = 0
        total = Moments.of(tile, valid) if total is None else total + Moments.of(tile, valid)
    every = np.concatenate([tile[:, valid] for tile, valid in zip(tiles, masks, strict=True)], axis=1).astype(np.float64)
    assert total.count == every.shape[1]
    assert total.mean == pytest.approx(every.mean(axis=1).tolist())
    assert total.std == pytest.approx(every.std(axis=1).tolist(), abs=1e-9)
    assert Moments.model_validate_json(total.model_dump_json()) == total


def test_moments_of_a_million_bright_tiles_lose_nothing():
    tile = np.full((1, 8, 8), 65535, np.uint16)
    tile[0, 0, 0] = 65534
    one = Moments.of(tile, np.ones((8, 8), np.bool_))
    many = Moments(count=one.count * 10**12, sums=(one.sums[0] * 10**12,), squares=(one.squares[0] * 10**12,))
    assert many.std == pytest.approx(one.std, rel=1e-12)
    assert one.std[0] == pytest.approx(np.sqrt(1 / 64 - 1 / 64**2), rel=1e-12)


@given(st.integers(1, 150), st.integers(1, 150), st.integers(16, 64), st.integers(1, 4))
def test_a_lattice_leaves_no_more_than_a_sliver(width, height, chip_px, block_side):
    seen = np.zeros((height, width), np.bool_)
    blocks = {}
    for place in cover(width, height, chip_px, block_side):
        part = np.s_[place.row : place.row + place.height, place.column : place.column + place.width]
        assert seen[part].shape == (min(chip_px, height), min(chip_px, width))
        seen[part] = True
        blocks.setdefault(place.block, np.zeros((height, width), np.bool_))[part] = True
    assert np.add.reduce([block.astype(int) for block in blocks.values()]).max() == 1  # blocks do not overlap
    for side, uncut in ((height, ~seen.any(axis=1)), (width, ~seen.any(axis=0))):
        assert uncut.sum() < chip_px / 8
        assert not uncut[: side - int(uncut.sum())].any()
