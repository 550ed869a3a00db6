"""Counts as a sentence has them."""

from eartheye.wording import counted


def test_one_takes_the_singular_and_everything_else_the_plural():
    assert [counted(number, "piece") for number in (0, 1, 2, 1200)] == ["0 pieces", "1 piece", "2 pieces", "1,200 pieces"]
    assert (counted(1, "stratum", "strata"), counted(3, "stratum", "strata")) == ("1 stratum", "3 strata")
