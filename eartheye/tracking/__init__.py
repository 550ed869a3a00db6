"""MLflow: runs of work done, and the registry of models."""

from eartheye.tracking.registry import (
    CHAMPION,
    PREVIOUS,
    RegisteredModel,
    alias_version,
    aliases_of_models,
    newest_versions,
    register,
    registered_versions,
    require_model,
    resolve,
    set_alias,
    tag_version,
    version_of,
)
from eartheye.tracking.runs import Run, run

__all__ = [
    "CHAMPION",
    "PREVIOUS",
    "RegisteredModel",
    "Run",
    "alias_version",
    "aliases_of_models",
    "newest_versions",
    "register",
    "registered_versions",
    "require_model",
    "resolve",
    "run",
    "set_alias",
    "tag_version",
    "version_of",
]
