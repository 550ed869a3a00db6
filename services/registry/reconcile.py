"""Healing: MLflow's aliases and the inference server against what was decided. An alias that was moved by hand is a request."""

import re

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from components.deployer.run import deploy_if_lost
from eartheye.contracts import GatePolicy
from eartheye.contracts.messages import NAME
from eartheye.errors import UnknownModel, UserError
from eartheye.telemetry import PULSE, get_logger
from eartheye.tracking import CHAMPION, PREVIOUS, alias_version, aliases_of_models, newest_versions, version_of
from eartheye.tracking.registry import PAGE
from services.registry.decide import BY_ALIAS, promote
from services.registry.outbox import move_aliases, registered_serving
from services.registry.standing import Standing, is_as_granted, standing

log = get_logger(__name__)
BY_HAND = "mlflow"
"""Asks for what an alias moved by hand stands for."""


def reconcile(engine: Engine, policy: GatePolicy = GatePolicy()) -> None:
    """Look at every model's aliases once.

    A champion that is another version than decided, or was made anew with another package, is a request to promote it, with the same
    gate and audit: granted, the aliases stay; refused, they are moved back. An alias that is gone, and `previous`, are set as decided. A
    champion that the inference server does not hold is deployed again. Models with work in the outbox are left to it, and models of others,
    which EarthEye neither registered a version of nor promoted one, to themselves.

    Args:
        engine: the platform's database.
        policy: what the gate asks.

    Raises:
        TrackingUnavailable: MLflow does not answer.
        OperationalError: the database does not answer.
    """
    for model, aliases in aliases_of_models().items():
        PULSE.advanced()
        if not re.fullmatch(NAME, model):  # no request can name it
            continue
        try:
            _reconcile_model(engine, model, aliases, policy)
        except UserError as error:  # one model's trouble does not keep the others waiting
            log.warning("a model cannot be looked after now", model=model, reason=str(error))
        except OperationalError:
            raise
        except Exception:
            log.exception("a model cannot be looked after now", model=model)


def _reconcile_model(engine: Engine, model: str, aliases: dict[str, int], policy: GatePolicy) -> None:
    decided = standing(engine, model)
    if not decided.followed:
        return
    anew = decided.champion is not None and aliases.get(CHAMPION) == decided.champion and _is_anew(engine, model, decided.champion)
    differs = anew or (aliases.get(CHAMPION), aliases.get(PREVIOUS)) != (decided.champion, decided.previous)
    if differs and (decided.generation or newest_versions(model, PAGE)):
        _reconcile_aliases(engine, decided, policy)
    if decided.champion is not None and deploy_if_lost(registered_serving(engine, model, decided.champion), model, decided.champion):
        log.warning("a champion that the inference server did not hold is deployed again", model=model, version=decided.champion)


def _reconcile_aliases(engine: Engine, decided: Standing, policy: GatePolicy) -> None:
    """Decide about an alias that differs, or set the aliases as decided.

    The admin service decides, and another registry may move aliases, while this one looks. Whatever they do before `decided` was read shows
    in the alias, which is asked for after it; what they do from then on shows in the second look at the decisions; what they decide still
    later makes the promotion stale. So an alias counts as moved by hand only where nobody else can have moved it.
    """
    model = decided.model
    found = alias_version(model, CHAMPION)
    again = standing(engine, model)
    if not again.followed or again.generation != decided.generation:
        return
    if found is not None and (found != decided.champion or _is_anew(engine, model, found)):
        expected = decided.champion or 0
        promote(engine, model, found, asked_by=BY_HAND, policy=policy, expected_champion=expected, follow=BY_ALIAS)
    elif decided.generation and move_aliases(engine, model):
        log.warning("aliases set as decided", model=model, champion=decided.champion, previous=decided.previous)


def _is_anew(engine: Engine, model: str, version: int) -> bool:
    """Say whether a version has another package than the one that was promoted under its number, or none of ours."""
    try:
        return not is_as_granted(engine, version_of(model, version))
    except UnknownModel:
        return True
