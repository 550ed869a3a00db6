"""Fields that the command line gives as text."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ValidationError

from eartheye.flags import WholeNumber


class Config(BaseModel):
    side: Annotated[Literal[1, 3] | None, WholeNumber] = None


@pytest.mark.parametrize(("given", "wanted"), [("3", 3), (1, 1), (None, None)])
def test_a_whole_number_is_read_from_text(given, wanted):
    assert Config(side=given).side == wanted


@pytest.mark.parametrize("given", ["2", "-1", "three", 1.5])
def test_what_is_not_among_the_choices_is_refused(given):
    with pytest.raises(ValidationError, match="1 or 3"):
        Config(side=given)
