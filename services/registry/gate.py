"""The gate: what a candidate must show before it serves."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from eartheye.contracts import Report, ServingPackage
from eartheye.errors import UserError
from eartheye.store import Folder
from eartheye.tracking import RegisteredModel

HEADLINE = {"segmentation": ("frozen-head", "miou"), "scenes": ("frozen-head", "oa")}
"""Protocol and metric that the gate looks at, by task."""


class GatePolicy(BaseModel):
    """What is asked of a candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    min_miou: float = Field(0.5, ge=0, le=1)
    """Least mean intersection over union of a segmentation model on its test tiles."""
    min_oa: float = Field(0.5, ge=0, le=1)
    """Least overall accuracy of a scene classifier on its test tiles."""
    max_loss_to_champion: float = Field(0.02, ge=0)
    """How far the candidate may fall behind the champion, where both were evaluated on the same tiles."""
    max_parity: float = Field(0.01, gt=0)
    """Largest difference of a probability between the exported and the trained model."""


@dataclass(frozen=True)
class Check:
    """One question of the gate, and its answer."""

    passed: bool
    words: str


def examine(candidate: RegisteredModel, champion: RegisteredModel | None, policy: GatePolicy) -> list[Check]:
    """Return every check of the gate; the candidate passes when all do."""
    try:
        serving = ServingPackage.read(Folder(candidate.serving))
        report = Report.read(Folder(candidate.report))
    except UserError as error:
        return [Check(False, str(error))]
    least = policy.min_miou if serving.task == "segmentation" else policy.min_oa
    protocol, metric = HEADLINE[serving.task]
    try:
        score = report.value("pretrained", protocol, metric)
    except KeyError:
        return [Check(False, f"the report holds no {metric} of the candidate ({protocol}): evaluate it first")]
    checks = [
        Check(serving.digest == candidate.serving_digest, "serving package is the one that was registered"),
        Check(report.model_digest == serving.model_digest, "report is about the exported model"),
        Check(score >= least, f"{metric} {score:.3f}, at least {least:.3f} asked"),
        Check(serving.parity <= policy.max_parity, f"export parity {serving.parity:.4f}, at most {policy.max_parity:.4f} allowed"),
    ]
    if champion is not None and champion.version != candidate.version:
        checks.append(_against_champion(score, report, champion, (protocol, metric), policy))
    return checks


def _against_champion(score: float, report: Report, champion: RegisteredModel, headline: tuple[str, str], policy: GatePolicy) -> Check:
    protocol, metric = headline
    try:
        theirs = Report.read(Folder(champion.report))
        reigning = theirs.value("pretrained", protocol, metric)
    except (UserError, KeyError) as error:
        return Check(False, f"the champion's report cannot be read: {error}")
    if theirs.split != report.split:
        return Check(True, f"champion's {metric} {reigning:.3f} was measured on other tiles and is not compared")
    return Check(score >= reigning - policy.max_loss_to_champion, f"{metric} {score:.3f} beside the champion's {reigning:.3f}")
