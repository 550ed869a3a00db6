"""Where a map may go: not where another one lies, or is about to."""

import datetime as dt
import shutil
from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from eartheye.bus import Bus
from eartheye.contracts.messages import JobCommand
from eartheye.errors import ConflictingOutput
from services.inference.admission import admit
from services.inference.output import see_output_free
from tests.services.inference.by_hand import ByHand
from tests.services.inference.place import Place


@pytest.fixture
def by_hand(own_place: Place):
    with Bus(own_place.settings) as bus:
        yield ByHand(own_place, bus)


@pytest.fixture
def ask(by_hand: ByHand, own_place: Place) -> Callable[..., None]:
    """Ask whether a job may write to the folder `map`."""

    def look(job: str, **changes: object) -> None:
        request = own_place.request(job, output=str(own_place.root / "map"), **changes)
        with Session(by_hand.engine) as session:
            see_output_free(session, request, admit(request, own_place.resolve, own_place.settings))

    return look


def test_the_output_of_a_job_at_work_is_taken_until_it_is_cancelled(by_hand, own_place, ask):
    ask("late", min_area_m2=9.0)
    by_hand.ask(own_place.request("at-work", output=str(own_place.root / "map")))
    with pytest.raises(ConflictingOutput, match="takes the map of job 'at-work': choose another folder"):
        ask("late", min_area_m2=9.0)
    ask("same")
    by_hand.ask(JobCommand(job="at-work", command="cancel"))
    ask("late", min_area_m2=9.0)


def test_a_map_takes_its_folder_for_as_long_as_it_lies_there(by_hand, own_place, ask):
    by_hand.ask(own_place.request("first", output=str(own_place.root / "map")))
    by_hand.finish("first")
    area = (400_010.0, 5_499_900.0, 400_060.0, 5_500_000.0)
    for changes in ({"bands": ("red", "green", "blue")}, {"area": area}, {"acquired": dt.date(2024, 8, 20)}):
        with pytest.raises(ConflictingOutput, match="job 'first'"):
            ask("late", **changes)
    shutil.rmtree(own_place.root / "map")
    ask("late", bands=("red", "green", "blue"))
