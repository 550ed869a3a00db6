import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eartheye.errors import CorruptTile
from eartheye.tiles.codec import HEADER, decode, encode

DTYPES = st.sampled_from([np.uint8, np.uint16, np.int16, np.float32, np.float64])


@given(st.data())
def test_any_tile_comes_back_as_it_was(data):
    bands, height, width = data.draw(st.tuples(*[st.integers(1, 9)] * 3))
    pixels = data.draw(hnp.arrays(data.draw(DTYPES), (bands, height, width)))
    valid = data.draw(hnp.arrays(np.bool_, (height, width)))
    again, mask = decode(encode(pixels, valid))
    assert again.dtype == pixels.dtype
    assert again.tobytes() == pixels.tobytes()  # NaN and minus zero included
    assert np.array_equal(mask, valid)


def test_a_mask_left_out_means_data_everywhere():
    assert decode(encode(np.zeros((1, 3, 5), np.uint8)))[1].tolist() == [[True] * 5] * 3


def test_big_endian_and_strided_pixels_keep_their_values():
    pixels = np.arange(2 * 6 * 8, dtype=">u2").reshape(2, 6, 8)[:, ::2, ::-1]
    assert np.array_equal(decode(encode(pixels))[0], pixels)


def test_the_same_tile_gives_the_same_bytes():
    pixels = np.random.default_rng(0).integers(0, 255, (3, 64, 64), np.uint8)
    assert encode(pixels) == encode(pixels.copy(), np.ones((64, 64), np.bool_))


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_one_changed_byte_is_noticed(place, change):
    data = bytearray(encode(np.arange(3 * 32 * 32, dtype=np.uint16).reshape(3, 32, 32), np.eye(32, dtype=np.bool_)))
    place = HEADER.size + place % (len(data) - HEADER.size)
    data[place] ^= change
    with pytest.raises(CorruptTile, match="truncated or changed"):
        decode(bytes(data))


@pytest.mark.parametrize("rest", [0, 3, HEADER.size, -1])
def test_a_truncated_tile_is_noticed(rest):
    with pytest.raises(CorruptTile, match="cut the tiles again"):
        decode(encode(np.ones((3, 16, 16), np.uint8))[:rest])


def test_foreign_bytes_are_no_tile():
    with pytest.raises(CorruptTile, match="no tile"):
        decode(b"\x89PNG" + bytes(100))
