"""What the report says a run can and cannot show follows from the facts of the run."""

import datetime as dt

import pandas as pd
import pytest

from components.finetuner.config import SamplesConfig
from components.sampler.config import ClassRatio, SamplerConfig
from eartheye.contracts import LabelSet, Report, Score
from eartheye.tiles import TileSet
from services.demo.report import limits
from services.demo.report.scale import round_length
from services.demo.report.wording import length, listed, sentence, spread
from tests.components.tiny_tiles import CLASSES, write_tiles


def score(model: str, value: float, low: float | None, high: float | None) -> Score:
    return Score(model=model, protocol="knn", metric="oa", value=value, low=low, high=high, count=100)


@pytest.mark.parametrize(
    ("pretrained", "random", "said"),
    [
        ((0.6, 0.55, 0.65), (0.5, 0.45, 0.54), "is better than the random one"),
        ((0.4, 0.35, 0.44), (0.5, 0.45, 0.54), "is worse than the random one"),
        ((0.5, 0.45, 0.56), (0.5, 0.45, 0.54), "cannot be told from the random one"),
        ((0.5, None, None), (0.4, None, None), "the difference may be chance"),
    ],
)
def test_a_backbone_is_better_only_beyond_the_intervals(pretrained, random, said):
    (words,) = limits.told_apart([score("pretrained", *pretrained), score("random backbone", *random)])
    assert said in words
    assert "knn oa" in words


def test_the_commonest_class_and_the_classes_without_test_are_named():
    fields = {"per_class": {"land": 0.5, "water": 0.1, "road": 0.0}, "confusion": ((80, 5, 5), (4, 6, 0), (0, 0, 0))}
    commonest, missing = limits.of_confusion(Report.model_construct(task="segmentation", **fields), ["land", "water", "road", "building"])
    always = "Always answering land would be right for 90.0% of the test's "
    assert commonest == f"{always}pixels, and have a mean intersection over union of 0.450."
    assert missing == "The test holds no road and building: nothing is known of it."
    assert limits.of_confusion(Report.model_construct(task="scenes", **fields), ["land", "water"])[0] == f"{always}windows."


def test_the_classes_and_the_smallest_width_that_counts_are_named():
    labels = LabelSet(name="cover", classes=CLASSES, smallest_width_m=15.0, tiles=1)
    named = "The classes are field, lake and wood"
    assert limits.of_classes(labels) == f"{named}; an object narrower than 15 m is none of them and takes the class around it."
    assert limits.of_classes(labels.model_copy(update={"smallest_width_m": None})) == f"{named}."


def test_tiles_of_both_sides_are_counted_with_all_their_acquisitions(tmp_path):
    tiles = TileSet(write_tiles(tmp_path, sites=6, quarters=3, sites_of_group=2))
    part = tiles.cut["group"].map({"block-0": "train", "block-1": "train", "block-2": "test"})
    parts = pd.DataFrame({"tile": tiles.cut["tile"], "part": part})
    report = Report.model_construct(task="scenes", per_class={"field": 0.5}, confusion=((80,),), scores=())

    def words(acquisitions):
        return limits.of_head(report, SamplesConfig(label_set="cover", acquisitions=acquisitions), tiles, parts)[0]

    assert words(None).startswith("2 groups of tiles to train on and 1 to test on (12 and 6 tiles, all acquisitions): ")
    assert "(12 and 6 tiles, all acquisitions, of which the head is given at most 1 of a site): " in words(1)
    assert limits.of_classes(tiles.label_sets["cover"]) in limits.of_head(report, SamplesConfig(label_set="cover"), tiles, parts)


def test_few_sites_are_put_down_to_the_class_ratio():
    config = SamplerConfig(target_sites=12)
    words = limits.of_sites(1, {"land cover": 5500.0}, {3: 15}, pd.Series([2]), config)
    assert words == [
        "A pixel of the land cover is 5.5 km, wider than a cell of 1 km: neighbouring cells share its value.",
        "2 sites, not the 12 asked: the classes met hold 20% of the class ratio.",
        "All cells are cropland in this land cover: the drawing is one of places, not of kinds of land.",
    ]
    (few_cells,) = limits.of_sites(9, {}, {1: 30, 2: 30, 3: 30, 4: 1, 5: 1, 6: 1, 7: 1}, pd.Series([8, 2]), config)
    assert few_cells == "10 sites, not the 12 asked: strata have fewer cells than their share."
    whole = SamplerConfig(target_sites=12, class_ratio=ClassRatio(cropland=1))
    assert limits.of_sites(9, {"land cover": 100.0}, {3: 10, 6: 5}, pd.Series([12]), whole) == []


def test_many_sites_are_put_down_to_the_least_of_one():
    (words,) = limits.of_sites(9, {}, {1: 5000, 3: 5000}, pd.Series([1] * 150 + [5] * 10), SamplerConfig(target_sites=100))
    assert words.startswith("200 sites, not the 100 asked: in 150 strata")


def test_many_sites_are_put_down_to_class_ratios_that_add_up_to_more_than_the_whole():
    config = SamplerConfig(target_sites=100, class_ratio=ClassRatio(forest=1, cropland=0.6))
    said = "sites, not the 100 asked: the ratios of the classes met add up to 160%"
    assert limits.of_sites(9, {}, {1: 500, 3: 500}, pd.Series([40, 40, 40, 39, 1]), config) == [f"160 {said}."]
    (both,) = limits.of_sites(9, {}, {1: 500, 3: 500}, pd.Series([1] * 50 + [40] * 4), config)
    assert both.startswith(f"210 {said}; in 50 strata the equation's least of one site decides")


def test_the_season_of_dates_is_told_whatever_their_year():
    assert limits.season([dt.date(2009, 8, 18), dt.date(2012, 7, 31), dt.date(2015, 9, 26)]) == "July to September"
    assert limits.season([dt.date(2009, 8, 18), dt.date(2012, 8, 1)]) == "August"


def test_words_and_lengths_read_as_in_a_sentence():
    assert (spread([3, 3]), spread([2, 1, 5])) == ("3", "1 to 5")
    assert (length(5565.0), length(37.2), length(156.0), length(156_000.0)) == ("5.6 km", "37 m", "160 m", "160 km")
    assert (listed(["a"]), listed(["a", "b", "c"])) == ("a", "a, b and c")
    assert sentence("intervals are rough") == "Intervals are rough."


@pytest.mark.parametrize(("most", "drawn"), [(1.0, 1.0), (4.99, 2.0), (5.0, 5.0), (77.0, 50.0), (1999.0, 1000.0), (0.3, 0.2)])
def test_a_scale_bar_has_a_round_length(most, drawn):
    assert round_length(most) == pytest.approx(drawn)
