"""Routes of the models."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from eartheye.contracts.messages import NAME, Version
from eartheye.tracking import registered_versions
from services.admin.access import PrincipalDep
from services.admin.models.schemas import DecisionOut, GateOut, ModelOut, PromotionIn, RollbackIn, VersionOut
from services.admin.models.service import ask_gate, decide_promotion, decide_rollback, list_decisions, list_models, list_versions
from services.admin.platform import PlatformDep

router = APIRouter(tags=["models"])
ModelName = Annotated[str, Path(pattern=NAME)]
Limit = Annotated[int, Query(gt=0, le=500)]
Before = Annotated[int | None, Query(gt=0, le=2**31 - 1, description="The last number of the page before, for those that follow.")]


@router.get("/v1/models")
def get_models(platform: PlatformDep) -> list[ModelOut]:
    """All registered models by name."""
    return list_models(platform, registered_versions())


@router.get("/v1/models/{model}/versions")
def get_versions(model: ModelName, platform: PlatformDep, limit: Limit = 100, before: Before = None) -> list[VersionOut]:
    """The versions of a model, the newest first, a page at a time; a page that is not full is the last."""
    return list_versions(platform, model, limit, before)


@router.get("/v1/models/{model}/versions/{version}/gate")
def get_gate(model: ModelName, version: Version, platform: PlatformDep) -> GateOut:
    """What the gate says of a version today; nothing is decided."""
    return ask_gate(platform, model, version)


@router.get("/v1/models/{model}/decisions")
def get_decisions(model: ModelName, platform: PlatformDep, limit: Limit = 100, before: Before = None) -> list[DecisionOut]:
    """The audit of a model, the newest first, a page at a time; a page that is not full is the last."""
    return list_decisions(platform, model, limit, before)


@router.post("/v1/models/{model}/promote", status_code=202)
def post_promotion(model: ModelName, wanted: PromotionIn, platform: PlatformDep, principal: PrincipalDep) -> DecisionOut:
    """Make a version the champion, if it passes the gate; deployment and aliases follow the decision."""
    return decide_promotion(platform, model, wanted.version, wanted.expected_champion, principal.words)


@router.post("/v1/models/{model}/rollback", status_code=202)
def post_rollback(model: ModelName, wanted: RollbackIn, platform: PlatformDep, principal: PrincipalDep) -> DecisionOut:
    """Make the champion before the champion again; deployment and aliases follow the decision."""
    return decide_rollback(platform, model, wanted.expected_champion, principal.words)
