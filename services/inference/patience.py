"""How long a worker waits for a model that its inference server does not run."""

import time

from eartheye.errors import PredictorSilent, PredictorUnavailable, UserError

PATIENCE_S = 300.0
"""A server that was emptied gets its champions back from the registry, which looks every ten seconds; loading the largest takes minutes.
What is champion no longer is brought back by nobody, and must not keep the worker from other models."""
FORGOTTEN_S = 600.0
"""Silence about a model after which it is waited for anew: the outage then is another one."""

Model = tuple[str, int]
"""Name and version."""


class Patience:
    """Since when each model is waited for. A server that does not answer at all is waited for without an end, and counts for no model."""

    def __init__(self) -> None:
        self._missed: dict[Model, tuple[float, float]] = {}

    def ended(self, model: Model, error: UserError) -> bool:
        """Note why a model did not run, and say whether it was waited for long enough.

        Args:
            model: which one.
            error: what came of it.
        """
        if not isinstance(error, PredictorUnavailable) or isinstance(error, PredictorSilent):
            self.restart(model)
            return False
        moment = time.monotonic()
        first, last = self._missed.get(model, (moment, moment))
        if moment - last > FORGOTTEN_S:
            first = moment
        self._missed[model] = first, moment
        return moment - first >= PATIENCE_S

    def restart(self, model: Model) -> None:
        """Note that a model runs, or that nothing is known about it."""
        self._missed.pop(model, None)
