from datetime import date

import numpy as np
import pytest
import shapely
from scipy import ndimage

from services.world.catalogue import SMALLEST_WIDTH_M
from services.world.config import WorldConfig
from services.world.cover import Cover
from services.world.craft import draw_craft
from services.world.ground import MARGIN_PX, GroundMaker
from services.world.materials import TINTS, TONES, Material, key, palette
from services.world.noise import Block, fractal_noise, nearest_point, refined, smooth_noise
from services.world.plan import make_plan
from services.world.render import Renderer
from services.world.scenes import SCENES
from services.world.traffic import Craft, make_traffic
from services.world.weather import acquired


@pytest.fixture(scope="module")
def plan():
    return make_plan(WorldConfig(seed=3, size_km=1.2))


# --- noise


@pytest.mark.parametrize("wavelength_m", [3, 31, 110])
def test_noise_has_mean_0_and_deviation_1(wavelength_m):
    noise = smooth_noise(Block(0, 0, 1500, 1500), wavelength_m, salt=1)
    assert abs(noise.mean()) < 0.15
    assert noise.std() == pytest.approx(1, abs=0.1)


def test_noise_of_a_part_is_the_part_of_the_noise():
    whole = fractal_noise(Block(-40, 100, 300, 200), 50, 4, salt=7)
    part = fractal_noise(Block(10, 160, 64, 32), 50, 4, salt=7)
    assert np.array_equal(part, whole[50:114, 60:92])


def test_the_nearest_point_is_the_nearest_of_the_lattice():
    block = Block(0, 0, 60, 60)
    x, y = np.broadcast_to(block.x, (60, 60)).astype(np.float32), np.broadcast_to(block.y[:, None], (60, 60)).astype(np.float32)
    found = nearest_point(x, y, spacing_m=10, jitter=0.25, salt=2)
    points = np.unique(np.round(np.column_stack([(x - found.dx).ravel(), (y - found.dy).ravel()]), 2), axis=0)
    true = np.min(np.hypot(x[..., None] - points[:, 0], y[..., None] - points[:, 1]), axis=-1)
    distance = np.hypot(found.dx, found.dy)
    near = distance < 0.75 * 10
    assert near.mean() > 0.9
    assert np.allclose(distance[near], true[near], atol=0.02)


def test_refining_keeps_a_plane():
    coarse = Block(-100, -100, 40, 40, 10)
    plane = (2 * coarse.y[:, None] - coarse.x[None, :]).astype(np.float32)
    block = Block(3, 5, 50, 70)
    assert np.allclose(refined(block, coarse, plane), 2 * block.y[:, None] - block.x[None, :], atol=1e-3)


# --- plan


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size_km", [1.0, 1.5])
def test_every_small_world_has_every_class_change_and_craft(seed, size_km):
    plan = make_plan(WorldConfig(seed=seed, size_km=size_km))
    world = plan.cover.block.part(0, 0, plan.config.size_m, plan.config.size_m)
    shares = np.bincount(plan.cover.classes[world].ravel(), minlength=8) / plan.cover.classes[world].size
    assert shares[1:].min() > 0.01
    assert {change.kind for change in plan.changes} == {"new_buildings", "cleared_forest", "flooded_field"}
    assert shapely.box(0, 0, plan.config.size_m, plan.config.size_m).contains(plan.airport.field)
    for number in range(len(SCENES)):
        kinds = [craft.kind for craft in make_traffic(plan, number)]
        assert kinds.count("ship") >= 3
        assert kinds.count("aircraft") >= 1


def test_classes_are_mostly_wider_than_sixty_metres(plan):
    size = round(60 / plan.cover.block.step_m)
    wide = np.zeros(plan.cover.classes.shape, bool)
    for cover in range(1, 8):
        wide |= ndimage.binary_opening(np.pad(plan.cover.classes == cover, size, mode="edge"), np.ones((size, size)))[
            size:-size, size:-size
        ]
    assert wide.mean() > 0.85


def test_changes_and_buildings_keep_apart(plan):
    for i, change in enumerate(plan.changes):
        assert all(change.outline.distance(other.outline) > 30 for other in plan.changes[:i])
        assert all(change.outline.buffer(2).contains(building.outline) for building in change.buildings)
    walls = [building.outline for building in plan.buildings]
    pairs = shapely.STRtree(walls).query(walls, predicate="intersects")
    assert np.mean(pairs[0] != pairs[1]) < 0.02


def test_roads_and_buildings_keep_apart(plan):
    roads = shapely.union_all([road.line.buffer(road.width_m / 2) for road in plan.roads])
    assert np.mean([roads.intersects(building.outline) for building in plan.buildings]) < 0.05


# --- ground and scenes


WATERS, TREES, GRASSES = {Material.WATER, Material.POOL}, {Material.EVERGREEN, Material.DECIDUOUS}, {Material.GRASS, Material.DRY_GRASS}
BARE = {Material.SOIL, Material.SAND, Material.ROCK}
STRANGE = [
    (Cover.FOREST, {Material.GRASS}),  # clearings
    (Cover.GRASSLAND, TREES),
    (Cover.GRASSLAND, {Material.TRACK}),
    (Cover.CROPLAND, TREES),
    (Cover.WETLAND, TREES),
    (Cover.WETLAND, WATERS),
    (Cover.BUILT_UP, TREES),
    (Cover.BUILT_UP, GRASSES),
    (Cover.BUILT_UP, BARE),
    (Cover.OTHER, TREES),
]
STRANGE += [(cover, WATERS) for cover in Cover if cover not in (Cover.WATER, Cover.WETLAND)]


@pytest.fixture(scope="module")
def surface(plan):
    """Class and material of every pixel of a world."""
    ground, inner = GroundMaker(plan, after=False).make(Block(0, 0, 1200, 1200)), slice(MARGIN_PX, -MARGIN_PX)
    return ground.classes[inner, inner], (ground.key // (TONES * TINTS))[inner, inner]


@pytest.mark.parametrize(("cover", "materials"), STRANGE)
def test_what_is_of_another_class_is_narrower_than_the_smallest_width_of_a_class(surface, cover, materials):
    classes, material = surface
    strange = (classes == cover) & np.isin(material, list(materials))
    largest_circle_m = 2 * ndimage.distance_transform_edt(np.pad(strange, 1)).max() - 1
    assert largest_circle_m < SMALLEST_WIDTH_M


def test_wetland_has_creeks_and_pools(surface):
    classes, material = surface
    assert 0.05 < np.mean(material[classes == Cover.WETLAND] == Material.POOL) < 0.3


def test_the_ground_does_not_depend_on_the_blocks_it_is_made_in(plan):
    maker = GroundMaker(plan, after=False)
    whole, part = maker.make(Block(300, 200, 256, 256)), maker.make(Block(364, 264, 96, 128))
    for name in ("classes", "key", "shadow_cot", "light", "elevation_m"):
        here = getattr(part, name)[8:-8, 8:-8]
        assert np.array_equal(here, getattr(whole, name)[8 + 64 : 8 + 64 + 96, 8 + 64 : 8 + 64 + 128]), name


@pytest.mark.parametrize("scene", SCENES, ids=[scene.period for scene in SCENES])
def test_a_scene_does_not_depend_on_the_blocks_it_is_drawn_in(plan, scene):
    maker = GroundMaker(plan, after=scene.changed)
    renderer = Renderer(plan.config, scene, make_traffic(plan, 0), float(plan.terrain.elevation_m.max()))
    whole, _ = renderer.render(maker.make(Block(400, 400, 192, 192)))
    part, _ = renderer.render(maker.make(Block(430, 450, 64, 96)))
    assert np.array_equal(part, whole[:, 30:94, 50:146])


def test_the_ground_changes_in_the_changes_and_their_shadows_only(plan):
    before, after = GroundMaker(plan, after=False), GroundMaker(plan, after=True)
    for change in plan.changes:
        left, top, right, bottom = (int(edge) for edge in change.outline.bounds)
        block = Block(top - 70, left - 70, bottom - top + 140, right - left + 140)
        assert after.differs_in(block)
        grounds = before.make(block), after.make(block)
        x, y = np.meshgrid(grounds[0].block.x, grounds[0].block.y)
        inside = shapely.contains_xy(change.outline, x, y)
        crowns_m = 8
        beyond = ~shapely.contains_xy(change.outline.buffer(crowns_m), x, y)
        others = shapely.union_all([other.outline for other in plan.changes if other is not change])
        beyond &= ~shapely.contains_xy(others.buffer(crowns_m), x, y)
        assert (grounds[1].classes[inside] == change.after).all()
        assert np.array_equal(grounds[0].classes[beyond], grounds[1].classes[beyond])
        assert np.array_equal(grounds[0].key[beyond], grounds[1].key[beyond])


def test_a_low_winter_sun_casts_longer_shadows(plan):
    ground = GroundMaker(plan, after=False).make(Block(0, 0, 512, 512))
    winter, summer = (ground.shadow_cot <= cot for cot in (1.25, 0.5))
    assert (summer <= winter).all()
    assert winter.mean() > 1.5 * summer.mean()


def test_a_ship_is_drawn_inside_its_box_and_its_wake_behind():
    block = Block(0, 0, 200, 200)
    for bits, moving in ((2, False), (3, True)):
        water = np.full((3, 200, 200), 60, np.float32)
        ship = Craft("ship", 80.0, 100.0, length_m=50, width_m=12, heading=np.pi, bits=bits)
        draw_craft(ship, block, water, sun_cot=0.0)
        drawn = np.abs(water - 60).max(axis=0) > 1
        x, y = np.meshgrid(block.x, block.y)
        box = shapely.contains_xy(ship.outline.buffer(1.5), x, y)
        assert drawn[box].mean() > 0.6
        assert drawn[~box & (x < 80)].sum() == 0
        assert (drawn[~box & (x > 110)].sum() > 100) == moving


@pytest.mark.parametrize("heading", [0.0, 1.1, 4.0])
def test_an_aircraft_is_a_cross_in_its_box(heading):
    block = Block(0, 0, 120, 120)
    apron = np.full((3, 120, 120), 160, np.float32)
    craft = Craft("aircraft", 60.0, 60.0, length_m=44, width_m=42, heading=heading, bits=1)
    draw_craft(craft, block, apron, sun_cot=0.0)
    drawn = np.abs(apron - 160).max(axis=0) > 1
    x, y = np.meshgrid(block.x, block.y)
    assert drawn[~shapely.contains_xy(craft.outline.buffer(1), x, y)].sum() == 0
    assert 0.15 < drawn.sum() / craft.outline.area < 0.5
    assert drawn[60, 60]


def test_palettes_tell_the_seasons_apart_and_keys_find_their_colours():
    deciduous = key(np.array([[Material.DECIDUOUS]], np.uint8), np.array([[0.5]], np.float32), np.array([[0.0]], np.float32))
    winter, _, summer, _ = (palette(quarter)[:, deciduous[0, 0]] for quarter in (1, 2, 3, 4))
    assert summer[1] > summer[0]
    assert winter[0] > winter[1]
    snowy = palette(1, snow=True)[:, key(np.array([[Material.GRASS]], np.uint8), np.ones((1, 1)), np.zeros((1, 1)))[0, 0]]
    assert snowy.min() > 200


def test_the_missing_corner_is_a_triangle_of_a_fifth_of_the_side():
    config = WorldConfig(seed=1, size_km=1)
    valid = acquired(config, Block(0, 0, 1000, 1000))
    assert not valid[0, -1]
    assert valid[0, :799].all()
    assert valid[200:].all()
    assert 1 - valid.mean() == pytest.approx(0.02, abs=0.001)


def test_scenes_are_four_quarters_and_a_later_one():
    assert [scene.period for scene in SCENES] == ["2023Q1", "2023Q2", "2023Q3", "2023Q4", "2024Q3"]
    assert all(1 + (scene.acquired.month - 1) // 3 == scene.quarter for scene in SCENES)
    assert min(scene.acquired for scene in SCENES if scene.changed) > date(2023, 12, 31)
