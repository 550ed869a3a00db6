"""What a frozen backbone says of windows: computed once, kept on this machine's disk for all epochs."""

import math
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from components.finetuner.resources import Resources
from components.finetuner.windows import Windows, class_numbers
from eartheye.contracts import ImageSpec
from eartheye.raster import normalise, select_bands
from eartheye.raster.canvas import take_room
from eartheye.settings import load
from eartheye.store.draft import make_local_directory
from eartheye.store.room import room
from eartheye.telemetry import progress_of
from eartheye.tiles import TileSet
from models.tasks import SceneClassifier, Segmenter

BATCH = 16
"""Windows that go through the backbone at once."""
BATCHES_AHEAD = 2


def scratch_array(shape: tuple[int, ...], dtype: type[np.generic], rows: NDArray[np.int64]) -> NDArray:
    """Return an array of zeros in a nameless file of the node's cache: larger than memory if need be, and gone with the process.

    A disk that is full when a page of a mapped file is first written ends the process, so the room is taken before.

    Args:
        shape: of the array.
        dtype: of its numbers.
        rows: those that will be written, at least one; the others take no room.

    Raises:
        StoreFull: there is no room.
        StoreUnavailable: the cache folder cannot be made.
    """
    directory, row_bytes = load().cache / "features", math.prod(shape[1:]) * np.dtype(dtype).itemsize
    make_local_directory(directory)
    what_for = f"in {directory} for {len(rows) * row_bytes} bytes of features or masks"
    remedy = "free space, or set EARTHEYE_CACHE_DIR to a larger disk"
    with room(what_for, remedy), tempfile.TemporaryFile(dir=directory) as file:
        file.truncate(shape[0] * row_bytes)
        for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1):
            take_room(file, len(run) * row_bytes, int(run[0]) * row_bytes)
        return np.memmap(file, dtype=dtype, mode="r+", shape=shape)


def training_images(tiles: TileSet, windows: Windows) -> ImageSpec:
    """Describe the images of the training part: mean and standard deviation are over its valid pixels alone.

    The range of scales is that of the tiles, give or take `SCALE_RANGE`.
    """
    sensor = tiles.image_spec(windows.sensor)
    total, squares, count = np.zeros(len(sensor.bands)), np.zeros(len(sensor.bands)), 0
    for tile in windows.tiles("train"):
        pixels, valid = tiles.image(tile)
        values = pixels[select_bands(tiles.sensors[windows.sensor].bands, sensor.bands)][:, valid].astype(np.float64)
        total += values.sum(axis=1)
        squares += (values**2).sum(axis=1)
        count += values.shape[1]
    mean = total / max(count, 1)
    std = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0))
    return sensor.model_copy(
        update={
            "mean": tuple(mean.tolist()),
            "std": tuple(std.tolist()),
            "gsd_range_m": sensor.gsd_m and (sensor.gsd_m / SCALE_RANGE, sensor.gsd_m * SCALE_RANGE),
        }
    )


SCALE_RANGE = 1.1
"""Ground sampling distances up to this factor finer or coarser are taken for the tiles' own: about what resampling a mosaic costs."""


def encode(
    model: SceneClassifier | Segmenter,
    tiles: TileSet,
    windows: Windows,
    rows: NDArray[np.int64],
    image: ImageSpec,
    precision: str,
    resources: Resources,
) -> NDArray[np.float16]:
    """Compute the features of some windows.

    Args:
        model: its head is not used.
        tiles: the tiles.
        windows: of these tiles.
        rows: numbers of the windows wanted.
        image: how pixels are normalised.
        precision: of the backbone's matrix products.
        resources: device and threads.

    Returns:
        (number of windows, ...) as `model.features` gives them; rows that were not wanted are 0.

    Raises:
        StoreFull: the node's cache has no room for them.
    """
    model.to(resources.device).eval()
    features: NDArray[np.float16] | None = None
    with progress_of("computing features", len(rows)) as advance:
        for batch, images in batches(tiles, windows, rows, image, resources.loader_threads):
            with torch.autocast(resources.device, torch.bfloat16, enabled=precision == "bfloat16"):
                found = model.features(torch.from_numpy(images).to(resources.device)).half().cpu().numpy()
            if features is None:
                features = scratch_array((len(windows.all), *found.shape[1:]), np.float16, rows)
            features[batch] = found
            advance(len(batch))
    assert features is not None, "there are windows"
    return features


def batches(
    tiles: TileSet, windows: Windows, rows: NDArray[np.int64], image: ImageSpec, threads: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield window numbers and their (B, C, H, W) normalised images; the next batches are read in the meantime."""
    wanted = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    with ThreadPoolExecutor(threads, thread_name_prefix="windows") as pool:
        ahead: deque[Future[NDArray[np.float32]]] = deque()
        try:
            for number, batch in enumerate(wanted):
                while len(ahead) <= BATCHES_AHEAD * threads and number + len(ahead) < len(wanted):
                    ahead.append(pool.submit(read_windows, tiles, windows, wanted[number + len(ahead)], image))
                yield batch, ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def read_windows(tiles: TileSet, windows: Windows, rows: NDArray[np.int64], image: ImageSpec) -> NDArray[np.float32]:
    """(B, C, H, W) normalised images of windows."""
    size, bands = windows.input_px, select_bands(tiles.sensors[windows.sensor].bands, image.bands)
    cut: list[NDArray[np.float32]] = []
    whole: dict[int, NDArray[np.float32]] = {}
    for row in rows:
        window = windows.all[row]
        if window.tile not in whole:
            pixels, valid = tiles.image(window.tile)
            whole = {window.tile: normalise(pixels[bands], valid, image)}  # neighbouring windows are of one tile
        cut.append(whole[window.tile][:, window.top : window.top + size, window.left : window.left + size])
    return np.stack(cut)


def read_masks(tiles: TileSet, windows: Windows, label_set: str) -> NDArray[np.uint8]:
    """(number of windows, H, W) class numbers from 1; 0 where a pixel has no label or no data.

    Raises:
        StoreFull: the node's cache has no room for them.
    """
    size, numbers = windows.input_px, class_numbers(windows.classes)
    masks = scratch_array((len(windows.all), size, size), np.uint8, np.arange(len(windows.all)))
    whole: dict[int, NDArray[np.uint8]] = {}
    for row, window in enumerate(windows.all):
        if window.tile not in whole:
            whole = {window.tile: np.where(tiles.image(window.tile)[1], numbers[tiles.mask(window.tile, label_set)], 0)}
        masks[row] = whole[window.tile][window.top : window.top + size, window.left : window.left + size]
    return masks
