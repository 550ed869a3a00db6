"""Sites to batches of views, by threads that decode and crop ahead of the training."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from components.pretrainer.config import ViewsConfig
from components.pretrainer.sites import PretrainingSites, read_acquisition
from components.pretrainer.views import OTHER_ACQUISITIONS, Views, draw_views, generator
from eartheye.tiles import TileSet

BATCHES_AHEAD = 2


class ViewLoader:
    """Endless batches of views. A batch is a function of its step alone, so that the position to go on from is the step's number.

    Args:
        tiles: the tiles.
        chosen: the sites to go through, each once in an epoch.
        config: of the views.
        batch_size: sites in a batch.
        seed: of the order and of the views.
        threads: that decode and crop.
    """

    def __init__(self, tiles: TileSet, chosen: PretrainingSites, config: ViewsConfig, *, batch_size: int, seed: int, threads: int) -> None:
        self._tiles, self._chosen, self._config = tiles, chosen, config
        self._batch_size, self._seed, self._threads = batch_size, seed, threads
        self._order = lru_cache(maxsize=2)(self._draw_order)

    def batches(self, first_step: int, steps: int) -> Generator[Views]:
        """Yield the batches of steps `first_step` to `steps` - 1."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="views") as pool:
            ahead: deque[list[Future[Views]]] = deque()
            try:
                for step in range(first_step, steps):
                    while len(ahead) <= BATCHES_AHEAD and step + len(ahead) < steps:
                        ahead.append([pool.submit(self.views, *place) for place in self.places(step + len(ahead))])
                    yield collate([future.result() for future in ahead.popleft()])
            finally:
                pool.shutdown(cancel_futures=True)

    def places(self, step: int) -> list[tuple[int, int]]:
        """Return epoch and site of each sample of a step; epochs follow each other without a gap."""
        positions = range(step * self._batch_size, (step + 1) * self._batch_size)
        sites = len(self._chosen.sites)
        return [(position // sites, self._chosen.sites[self._order(position // sites)[position % sites]]) for position in positions]

    def views(self, epoch: int, site: int) -> Views:
        """Return a site's views in an epoch: one acquisition, drawn at random, and up to three others beside it."""
        rng = generator(self._seed, epoch, site)
        drawn = rng.permutation(self._chosen.tiles[site])[: 1 + OTHER_ACQUISITIONS].tolist()
        main, *others = (read_acquisition(self._tiles, tile) for tile in drawn)
        return draw_views(main, others, self._config, rng)

    def _draw_order(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng([self._seed, epoch]).permutation(len(self._chosen.sites))


def collate(samples: list[Views]) -> Views:
    """Stack samples along a new dimension behind the views: (2, C, H, W) each to (2, B, C, H, W)."""
    return Views(*(torch.stack(parts, dim=1) for parts in zip(*samples, strict=True)))
