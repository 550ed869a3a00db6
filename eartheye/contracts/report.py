"""What an evaluation found."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from eartheye.contracts.manifest import Manifest
from eartheye.store import Bulk


class Score(BaseModel):
    """One model's result under one protocol."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: str
    """`pretrained`, or the name of a baseline."""
    protocol: str
    """As `knn`, `linear-probe`, `frozen-upernet`."""
    metric: str
    """As `oa`, `miou`, `mf1`."""
    value: float
    low: float | None = None
    """Lower end of the 95 % bootstrap interval over the test groups."""
    high: float | None = None
    count: int
    """Samples (images or pixels) that the metric is over."""


class Report(Manifest):
    """Metrics with their baselines, per-class tables and pictures."""

    kind: Literal["report/1"] = "report/1"
    task: Literal["backbone", "scenes", "segmentation"]
    model_digest: str
    """Digest of the `model.json` under test."""
    scores: tuple[Score, ...]
    per_class: dict[str, float]
    """The headline metric by class, where it has classes."""
    confusion: tuple[tuple[int, ...], ...] = ()
    """Rows: truth; columns: predicted; in the order of `per_class`."""
    split: str
    """How training and test were kept apart, in words."""
    notes: tuple[str, ...] = ()
    """What the figures can and cannot show."""
    pictures: dict[str, Bulk]
    """PNG by name: `confusion`, `patch-features`, ..."""

    def value(self, model: str, protocol: str, metric: str) -> float:
        """Return one score.

        Raises:
            KeyError: it was not measured.
        """
        for score in self.scores:
            if (score.model, score.protocol, score.metric) == (model, protocol, metric):
                return score.value
        raise KeyError(f"{model}/{protocol}/{metric}")

    def of_commonest(self, metric: str) -> float | None:
        """Return what always answering the commonest class of the test would reach; None without a confusion matrix.

        A truth of 90 pixels of land and 10 of water: overall accuracy 0.9, mean intersection over union (0.9 + 0) / 2.

        Args:
            metric: `oa` or `miou`.
        """
        truth = [sum(row) for row in self.confusion]
        if not any(truth):
            return None
        share = max(truth) / sum(truth)
        return share if metric == "oa" else share / sum(count > 0 for count in truth)
