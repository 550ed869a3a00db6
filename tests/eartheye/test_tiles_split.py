import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eartheye.errors import NotEnoughTiles
from eartheye.tiles.split import SplitConfig, split


def tiles(groups, labels=None, rejected=None):
    """An index of tiles without georeference."""
    count = len(groups)
    return pd.DataFrame(
        {
            "tile": np.arange(count),
            "group": groups,
            "label": labels if labels is not None else [None] * count,
            "rejected": rejected if rejected is not None else [None] * count,
            "crs": [None] * count,
            "transform": [None] * count,
            "height": 10,
            "width": 10,
        }
    )


def placed(columns, groups, width=10):
    """An index of tiles in a row, each beginning at a column of a grid of 1 m."""
    index = tiles(groups)
    index["crs"] = "EPSG:32650"
    index["transform"] = [[1.0, 0.0, 500_000.0 + column, 0.0, -1.0, 3_300_000.0] for column in columns]
    index["width"] = width
    return index


@given(st.lists(st.integers(1, 12), min_size=10, max_size=40), st.integers(0, 2**32 - 1))
def test_a_group_is_never_on_two_sides(sizes, seed):
    index = tiles(np.repeat([f"g{i}" for i in range(len(sizes))], sizes))
    part = split(index, SplitConfig(seed=seed))
    assert len(part) == len(index)
    assert (part.groupby(index["group"].to_numpy()).nunique() == 1).all()


def test_shares_are_met_as_near_as_groups_allow():
    part = split(tiles([f"g{i // 5}" for i in range(1000)]), SplitConfig(test_share=0.3, validation_share=0.1))
    assert part.value_counts().to_dict() == {"train": 600, "test": 300, "validation": 100}


def test_a_group_that_is_most_of_the_data_goes_to_training():
    for seed in range(10):
        part = split(tiles(["large"] * 90 + [f"g{i}" for i in range(10)]), SplitConfig(seed=seed, test_share=0.05, validation_share=0.05))
        assert set(part[:90]) == {"train"}
        assert part.value_counts()["test"] == 5


def test_the_split_depends_on_seed_and_groups_and_not_on_the_order_of_tiles():
    index = tiles([f"g{i // 3}" for i in range(120)])
    part = split(index, SplitConfig(seed=7))
    shuffled = split(index.sample(frac=1, random_state=0), SplitConfig(seed=7))
    assert shuffled.sort_index().equals(part)
    assert not split(index, SplitConfig(seed=8)).equals(part)


def test_by_label_every_part_holds_every_label_in_its_share():
    labels = np.repeat(["Airport", "Beach", "Pond"], [60, 20, 20])
    part = split(tiles([f"image {i}" for i in range(100)], labels), SplitConfig(by="label", test_share=0.2, validation_share=0.1))
    counts = pd.crosstab(labels, part.to_numpy())
    assert counts["test"].to_dict() == {"Airport": 12, "Beach": 4, "Pond": 4}
    assert counts["validation"].to_dict() == {"Airport": 6, "Beach": 2, "Pond": 2}


def test_by_label_leaves_out_tiles_without_one_and_keeps_a_group_of_two_labels_whole():
    index = tiles(["a", "a", "a", *"bcdefghi", "j"], ["x", "x", "y", *"xxxxyyyy", None])
    part = split(index, SplitConfig(by="label", test_share=0.3, validation_share=0.3))
    assert 11 not in part.index
    assert part[:3].nunique() == 1


def test_rejected_tiles_take_no_part():
    part = split(tiles(list("abcdef"), rejected=[None, "cloud", None, None, None, None]), SplitConfig())
    assert part.index.tolist() == [0, 2, 3, 4, 5]


def test_too_few_groups_say_what_to_change():
    with pytest.raises(NotEnoughTiles, match="2 groups cannot be parted into test, validation, train: cut more tiles"):
        split(tiles(["a", "b", "b"]), SplitConfig())
    with pytest.raises(NotEnoughTiles, match="of the label 'y'"):
        split(tiles(list("abcdef"), list("xxxxxy")), SplitConfig(by="label", validation_share=0))
    with pytest.raises(NotEnoughTiles, match="no tile has a label of its own to be parted by"):
        split(tiles(list("abcdef")), SplitConfig(by="label"))
    with pytest.raises(NotEnoughTiles, match="0 groups"):
        split(tiles([]), SplitConfig())


def test_shares_that_leave_no_training_are_refused():
    with pytest.raises(ValueError, match="leave nothing to train on"):
        SplitConfig(test_share=0.6, validation_share=0.4)


def test_ground_of_the_test_is_not_trained_on_even_in_another_group():
    groups = [f"g{i}" for i in range(20)]
    part = split(placed([i * 8 for i in range(20)], groups), SplitConfig(test_share=0.2, validation_share=0))
    tested, trained = ({tile * 8 for tile in part.index[part == name]} for name in ("test", "train"))
    assert len(tested) == 4
    assert trained
    assert all(abs(one - other) >= 10 for one in tested for other in trained)


def test_tiles_that_only_touch_stay():
    part = split(placed([i * 10 for i in range(20)], [f"g{i}" for i in range(20)]), SplitConfig())
    assert len(part) == 20


def test_ground_that_is_all_one_is_not_enough():
    with pytest.raises(NotEnoughTiles, match="part 'validation'"):
        split(placed([0] * 10, [f"g{i}" for i in range(10)]), SplitConfig())
