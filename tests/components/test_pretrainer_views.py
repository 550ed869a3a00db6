"""Views of a site: the counts, shares and order of the report, and randomness that belongs to the site."""

import numpy as np
import pytest
import torch

from components.pretrainer.config import ViewsConfig
from components.pretrainer.masks import draw_mask
from components.pretrainer.views import Acquisition, crop, draw_views, flip, generator, jitter
from eartheye.errors import InvalidConfig

SMALL = ViewsConfig(global_px=56, local_px=28)
WIDE = (-np.inf, np.inf)


def acquisition(tile, channels=None, limits=WIDE):
    channels = torch.full((3, 60, 60), float(tile)) if channels is None else channels
    return Acquisition(tile, channels, torch.zeros(3), torch.ones(3), limits)


def test_a_sample_is_two_global_crops_their_masks_and_eight_local_crops():
    views = draw_views(acquisition(1), [], SMALL, generator(0, 0, 0))
    assert views.global_views.shape == (2, 3, 56, 56)
    assert views.masks.shape == (2, 16)
    assert views.local_views.shape == (8, 3, 28, 28)
    assert views.tiles.tolist() == [1] * 10


@pytest.mark.parametrize("others", [0, 1, 2, 3])
def test_each_other_acquisition_replaces_one_local_crop(others):
    shown = [acquisition(tile) for tile in range(2, 2 + others)]
    views = draw_views(acquisition(1), shown, SMALL, generator(0, 0, 0))
    assert views.tiles[:2].tolist() == [1, 1]
    assert sorted(views.tiles[2:].tolist()) == [1] * (8 - others) + list(range(2, 2 + others))


def test_which_local_crops_are_replaced_is_random():
    places = {
        tuple(np.flatnonzero(draw_views(acquisition(1), [acquisition(2)], SMALL, generator(0, 0, site)).tiles == 2)) for site in range(40)
    }
    assert places == {(place,) for place in range(2, 10)}


def test_other_acquisitions_keep_their_colours_and_the_rest_is_jittered():
    config = SMALL.model_copy(update={"jitter_probability": 1.0})
    views = draw_views(acquisition(1), [acquisition(2), acquisition(3), acquisition(4)], config, generator(0, 0, 0))
    for view, tile in zip(views.local_views, views.tiles[2:].tolist(), strict=True):
        unchanged = torch.allclose(view, torch.tensor(float(tile)), atol=1e-5)
        assert unchanged == (tile != 1)
    assert not any(torch.allclose(view, torch.tensor(1.0), atol=1e-3) for view in views.global_views)


def test_views_belong_to_seed_epoch_and_site_alone():
    def draw(*key):
        return draw_views(acquisition(1, torch.rand(3, 60, 60, generator=torch.manual_seed(0))), [], SMALL, generator(*key))

    first = draw(0, 3, -7)
    assert all(torch.equal(one, other) for one, other in zip(first, draw(0, 3, -7), strict=True))
    for key in ((1, 3, -7), (0, 4, -7), (0, 3, 7)):
        assert not torch.equal(first.global_views, draw(*key).global_views)


COLUMNS = torch.arange(200.0).expand(1, 200, 200)
PLACES = torch.cat([COLUMNS, COLUMNS.transpose(1, 2)])
"""(2, 200, 200), of which each pixel says its column and row."""


def extent(cut):
    """Columns and rows that a crop of `PLACES` spans, pixels."""
    # values at the middles of the outermost pixels are half a pixel inside
    inside = (cut.shape[-1] - 1) / cut.shape[-1]
    return [(place.max() - place.min()).item() / inside for place in cut]


def test_a_crop_covers_the_share_asked_for():
    for site in range(30):
        across, down = extent(crop(PLACES, (0.1, 0.3), 50, generator(0, 0, site)))
        assert 0.09 < across * down / 200**2 < 0.32
        assert 0.7 < across / down < 1.4


def test_crops_are_of_many_shapes_and_lie_anywhere():
    cuts = [crop(PLACES, (0.1, 0.3), 50, generator(0, 0, site)) for site in range(100)]
    shapes = [across / down for across, down in map(extent, cuts)]
    assert min(shapes) < 0.8
    assert max(shapes) > 1.25
    for axis in (0, 1):
        middles = [cut[axis].mean().item() for cut in cuts]
        assert min(middles) < 60
        assert max(middles) > 140
    assert abs(np.corrcoef([cut.mean(dim=(1, 2)).tolist() for cut in cuts], rowvar=False)[0, 1]) < 0.3


def test_local_crops_are_of_smaller_shares_than_global_ones():
    config = SMALL.model_copy(update={"global_area": (0.5, 1.0), "local_area": (0.05, 0.3), "jitter_probability": 0.0})
    main, other = (Acquisition(tile, PLACES, torch.zeros(2), torch.ones(2), WIDE) for tile in (1, 2))
    for site in range(5):
        views = draw_views(main, [other], config, generator(0, 0, site))
        assert all(0.49 < np.prod(extent(view)) / 200**2 < 1.01 for view in views.global_views)
        assert all(0.04 < np.prod(extent(view)) / 200**2 < 0.32 for view in views.local_views)


def test_what_is_finer_than_a_crop_s_pixels_is_averaged():
    stripes = (torch.arange(84) % 2).float().expand(3, 84, 84)
    coarse = crop(stripes, (1.0, 1.0), 28, generator(0, 0, 0))[:, 2:-2, 2:-2]
    assert coarse.min() > 0.4
    assert coarse.max() < 0.6


def test_a_crop_of_a_narrow_tile_is_its_middle_size_square():
    assert crop(torch.rand(3, 20, 200), (1.0, 1.0), 28, generator(0, 0, 0)).shape == (3, 28, 28)


def test_jitter_works_on_what_the_sensor_measured():
    config = ViewsConfig(brightness=0.4, contrast=0, saturation=0, jitter_probability=1)
    measured = torch.rand(3, 8, 8, generator=torch.manual_seed(0)) * 100 + 50
    mean, std = torch.tensor([80.0, 90.0, 100.0]), torch.tensor([20.0, 30.0, 40.0])
    normalised = (measured - mean[:, None, None]) / std[:, None, None]
    changed = jitter(normalised, Acquisition(0, normalised, mean, std, WIDE), config, generator(0, 0, 0))
    factor = (changed * std[:, None, None] + mean[:, None, None]) / measured
    assert factor.std() < 1e-5
    assert 0.6 <= factor.mean() <= 1.4
    assert abs(factor.mean() - 1) > 1e-3


def test_jitter_stays_within_the_sensor_s_type():
    config = ViewsConfig(jitter_probability=1)
    bright = torch.full((3, 8, 8), 250.0)
    for site in range(20):
        changed = jitter(bright, acquisition(0, bright, (0.0, 255.0)), config, generator(0, 0, site))
        assert changed.max() <= 255


def test_saturation_alone_keeps_the_grey():
    config = ViewsConfig(brightness=0, contrast=0, saturation=0.9, jitter_probability=1)
    view = torch.rand(3, 8, 8, generator=torch.manual_seed(0))
    changed = jitter(view, acquisition(0, view), config, generator(0, 0, 0))
    assert torch.allclose(changed.mean(dim=0), view.mean(dim=0), atol=1e-6)
    assert not torch.allclose(changed, view, atol=1e-3)


def test_contrast_alone_scales_what_differs_from_the_mean_of_all_bands():
    config = ViewsConfig(brightness=0, contrast=0.9, saturation=0, jitter_probability=1)
    view = torch.rand(3, 8, 8, generator=torch.manual_seed(0)) + torch.tensor([0.0, 1.0, 3.0])[:, None, None]
    changed = jitter(view, acquisition(0, view), config, generator(0, 0, 0))
    factor = changed.std() / view.std()
    assert torch.allclose(changed - view.mean(), (view - view.mean()) * factor, atol=1e-5)
    assert abs(factor - 1) > 1e-2


def test_flips_give_all_four_mirrors():
    view = torch.arange(4.0).reshape(1, 2, 2)
    seen = {tuple(flip(view, generator(0, 0, site)).flatten().tolist()) for site in range(40)}
    assert seen == {(0, 1, 2, 3), (1, 0, 3, 2), (2, 3, 0, 1), (3, 2, 1, 0)}


@pytest.mark.parametrize("grid", [4, 8, 16])
def test_a_mask_hides_10_to_50_per_cent_of_the_patches(grid):
    shares = np.array([draw_mask(grid, (0.1, 0.5), np.random.default_rng(seed)).mean() for seed in range(300)])
    assert shares.min() >= 0.1
    assert shares.max() <= 0.5
    assert abs(shares.mean() - 0.3) < 0.03
    assert shares.min() < 0.15
    assert shares.max() > 0.45


def test_masked_patches_lie_in_blocks():
    def neighbours(mask):
        return (mask[1:] & mask[:-1]).sum() + (mask[:, 1:] & mask[:, :-1]).sum()

    rng = np.random.default_rng(0)
    blocks, scattered = 0, 0
    for _ in range(50):
        mask = draw_mask(16, (0.1, 0.5), rng)
        blocks += neighbours(mask.reshape(16, 16))
        scattered += neighbours(rng.permutation(mask).reshape(16, 16))
    assert blocks > 1.5 * scattered


def test_blocks_lie_flat_stand_and_are_square():
    shapes = set()
    for seed in range(300):
        rows, columns = draw_mask(16, (4 / 256, 4 / 256), np.random.default_rng(seed)).reshape(16, 16).nonzero()
        assert len(rows) == 4
        shapes.add((int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1))
    assert {(1, 4), (2, 2), (4, 1)} <= shapes


def test_a_mask_of_a_single_patch_hides_it():
    assert draw_mask(1, (0.1, 0.5), np.random.default_rng(0)).tolist() == [True]


@pytest.mark.parametrize(("fields", "word"), [({"global_px": 100}, "multiple of 14"), ({"local_area": (0.5, 0.1)}, "smallest <= largest")])
def test_views_that_cannot_be_cut_are_refused(fields, word):
    with pytest.raises(InvalidConfig, match=word):
        ViewsConfig(**fields)
