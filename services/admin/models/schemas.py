"""What the API says about models."""

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict

from eartheye.contracts import Score
from eartheye.contracts.messages import SeenChampion, Version

OUT = ConfigDict(frozen=True, from_attributes=True, use_attribute_docstrings=True, protected_namespaces=())
IN = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)
"""Strict: `false` is no version 0."""


class ModelStanding(BaseModel):
    """Where a model stands by the platform's decisions."""

    model_config = OUT

    model: str
    champion: int | None
    """Version that serves, or will as soon as the pending decision is carried out."""
    previous: int | None
    """Version that a rollback leads to."""
    generation: int
    """Counts the changes of champion and previous."""
    pending: bool
    """A decision is still to be followed by deployment and aliases."""
    trouble: str | None
    """Why they cannot follow now; tried again until they can."""
    lost: str | None = None
    """Why the champion does not serve: MLflow has it no more, or another package under its number. Null also where MLflow was not asked."""

    @property
    def words(self) -> str:
        """What serves, in words."""
        if self.champion is None:
            return "no version serves yet"
        if self.lost:
            return "no version serves"
        return f"version {self.champion} {'is to serve' if self.pending else 'serves'}"


class ModelOut(ModelStanding):
    """A registered model, and where it stands by the platform's decisions."""

    versions: int


class VersionOut(BaseModel):
    """A registered version."""

    model_config = OUT

    model: str
    version: int
    standing: Literal["champion", "previous", "candidate"]
    package: str
    serving: str
    serving_digest: str
    report: str
    scores: tuple[Score, ...]
    """Of the model itself, without the baselines; empty where the report cannot be read."""


class GateCheckOut(BaseModel):
    """One question of the gate, and its answer."""

    model_config = OUT

    passed: bool
    words: str


class GateOut(BaseModel):
    """What the gate says of a version today; the golden tile is run when it is promoted."""

    model_config = OUT

    model: str
    version: int
    passed: bool
    checks: tuple[GateCheckOut, ...]


class DecisionOut(BaseModel):
    """A decision about a model, as the audit has it."""

    model_config = OUT

    id: int
    request: str
    model: str
    kind: str
    """`promotion`, `rollback`, or `reversion` of one that failed."""
    from_version: int | None
    to_version: int | None
    state: str
    """`refused`; or granted: `pending` while deployment and aliases follow, then `applied`, or `failed` and reverted."""
    reasons: tuple[str, ...]
    asked_by: str
    decided_at: dt.datetime
    settled_at: dt.datetime | None


class PromotionIn(BaseModel):
    """Ask that a version become the champion."""

    model_config = IN

    version: Version
    expected_champion: SeenChampion | None = None
    """Champion that you saw, 0 for none: where it is another by now, nothing is changed."""


class RollbackIn(BaseModel):
    """Ask that the champion before become the champion again."""

    model_config = IN

    expected_champion: SeenChampion | None = None
    """Champion that you saw: where it is another by now, nothing is changed."""
