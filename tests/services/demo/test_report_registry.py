"""What the report says of the registry: what was decided, without asking for anything."""

import pytest
from sqlalchemy.orm import Session

from eartheye import settings
from eartheye.database import connect, now
from pipelines.config import read_chain
from services.demo.report.build import registry_section
from services.demo.run import shipped
from services.registry.standing import decisions
from services.registry.tables import Decision
from services.schema.migrate import upgrade


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setenv("EARTHEYE_DATABASE_URL", f"sqlite:///{tmp_path}/eartheye.db")
    monkeypatch.setenv("EARTHEYE_MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    settings.load.cache_clear()
    upgrade(connect())
    yield connect()
    settings.load.cache_clear()


def test_the_newest_decision_on_each_model_is_told_and_nothing_is_asked(engine):
    with Session(engine) as session, session.begin():
        for number, reason in enumerate(["failed: mIoU 0.1", "passed: mIoU 0.6"]):
            fields = {"model": "landcover", "kind": "promotion", "to_version": 1, "state": "refused", "asked_by": "test", "generation": 0}
            session.add(Decision(request=f"promote-{number}", reasons=[reason], decided_at=now(), **fields))
    section = registry_section(read_chain(shipped("chains/world.yaml")))
    assert section.rows == [["landcover-scenes", "none", "nothing was asked"], ["landcover", "none", "passed: mIoU 0.6"]]
    assert len(decisions(engine)) == 2
    assert section.limits == []


def test_a_gate_that_lets_a_model_pass_that_learned_nothing_says_so(engine):
    (words,) = registry_section(read_chain(shipped("chains/samples.yaml"))).limits
    assert words.startswith("The gate of this run lets a model pass that is no better than always answering the commonest class")
