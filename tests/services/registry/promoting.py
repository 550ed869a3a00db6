"""Promote a version, and see what has become of it."""

from eartheye.contracts import GatePolicy
from eartheye.tracking import CHAMPION, PREVIOUS, alias_version
from eartheye.tracking.runs import connect as connect_mlflow
from services.registry.decide import promote
from services.registry.outbox import work_through
from services.registry.standing import decision_on, standing

POLICY = GatePolicy(min_miou=0.5, max_loss_to_champion=0.05)


def granted(engine, model, version, **how):
    """Promote and let everything follow."""
    made = promote(engine, model, version, asked_by="test", policy=POLICY, **how)
    assert work_through(engine)
    return decision_on(engine, made.request)


def aliases(model):
    return alias_version(model, CHAMPION), alias_version(model, PREVIOUS)


def champions(engine, model):
    seen = standing(engine, model)
    return seen.champion, seen.previous


def tag(model, version):
    return connect_mlflow().get_model_version(model, str(version)).tags.get("promotion")
