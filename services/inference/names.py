"""How things are named to who asked for a map: as they were asked for, not by where the service keeps them."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from eartheye.errors import UserError
from services.inference.tables import Job, Plan


def renamed(words: str, names: Mapping[str, str]) -> str:
    """Return a message in which each path of the service is replaced by its name.

    Args:
        words: of an error.
        names: by path or URI; of two that begin alike the longer one counts.
    """
    if not names:
        return words
    paths = sorted(names, key=len, reverse=True)
    return re.sub(rf"(?:{'|'.join(map(re.escape, paths))})(?!\w)", lambda found: names[found[0]], words)


@contextmanager
def told_as(names: Mapping[str, str]) -> Iterator[None]:
    """Let the errors of a block name things as they are known to who asked; see `renamed`."""
    try:
        yield
    except UserError as error:
        error.args = (renamed(str(error), names),)
        raise


def package_name(model: str, version: int) -> str:
    """Return what a serving package is called to who named a model."""
    return f"the serving package of {model} {version}"


def names_of(job: Job, plan: Plan) -> dict[str, str]:
    """Return how what a job works on is called to who asked for it, by where it lies."""
    names = {
        plan.scene: job.request["scene"],
        plan.serving: package_name(plan.model, plan.model_version),
        plan.work: "the service's folder of blocks",
    }
    return names | ({job.output: job.request["output"]} if job.output else {})
