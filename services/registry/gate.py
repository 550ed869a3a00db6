"""The gate: what a candidate must show before it serves."""

from dataclasses import dataclass

from eartheye.contracts import GatePolicy, Report, ServingPackage
from eartheye.errors import StoreUnavailable, UserError
from eartheye.store import Folder
from eartheye.tracking import RegisteredModel

HEADLINE = {"segmentation": ("frozen-head", "miou"), "scenes": ("frozen-head", "oa")}
"""Protocol and metric that the gate looks at, by task."""


@dataclass(frozen=True)
class Check:
    """One question of the gate, and its answer."""

    passed: bool
    words: str


def examine(candidate: RegisteredModel, champion: RegisteredModel | None, policy: GatePolicy) -> list[Check]:
    """Return every check of the gate; the candidate passes when all do.

    Raises:
        StoreUnavailable: the packages cannot be looked at now.
    """
    try:
        serving = ServingPackage.read(Folder(candidate.serving))
        report = Report.read(Folder(candidate.report))
    except StoreUnavailable:
        raise
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
    if (commonest := report.of_commonest(metric)) is not None:
        asked = "more is asked" if policy.above_commonest else "which this policy lets pass"
        words = f"{metric} {score:.3f} beside {commonest:.3f} of always answering the commonest class, {asked}"
        checks.append(Check(score > commonest or not policy.above_commonest, words))
    if champion is not None and champion.version != candidate.version:
        checks.append(_against_champion(score, report, champion, (protocol, metric), policy))
    return checks


def _against_champion(score: float, report: Report, champion: RegisteredModel, headline: tuple[str, str], policy: GatePolicy) -> Check:
    protocol, metric = headline
    try:
        theirs = Report.read(Folder(champion.report))
        reigning = theirs.value("pretrained", protocol, metric)
    except StoreUnavailable:
        raise
    except (UserError, KeyError) as error:
        return Check(False, f"the champion's report cannot be read: {error}")
    if theirs.split != report.split:
        return Check(True, f"champion's {metric} {reigning:.3f} was measured on other tiles and is not compared")
    return Check(score >= reigning - policy.max_loss_to_champion, f"{metric} {score:.3f} beside the champion's {reigning:.3f}")
