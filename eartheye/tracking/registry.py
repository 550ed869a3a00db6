"""The model registry: versions that point at packages in the object store, and the aliases that point at versions."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import ErrorCode

from eartheye.errors import InvalidSettings, TrackingUnavailable, UnknownModel
from eartheye.settings import load
from eartheye.tracking.runs import connect, unavailable

CHAMPION, PREVIOUS = "champion", "previous"
PAGE = 1000
"""Versions that MLflow is asked for at once where all are wanted."""


@dataclass(frozen=True)
class RegisteredModel:
    """A version, and the folders it stands for."""

    name: str
    version: int
    package: str
    """Folder of the model package."""
    serving: str
    """Folder of the serving package."""
    serving_digest: str
    report: str
    """Folder of its evaluation."""


def register(name: str, package: str, serving: str, serving_digest: str, report: str, run_id: str | None) -> RegisteredModel:
    """Register a candidate. The same serving package gets the same version, however often this is asked.

    Args:
        name: of the registered model.
        package: folder of the model package.
        serving: folder of its serving package.
        serving_digest: digest of the serving manifest.
        report: folder of its evaluation.
        run_id: MLflow run of the training.

    Raises:
        InvalidSettings: the folders lie in a directory that a remote MLflow cannot name.
        TrackingUnavailable: MLflow does not answer.
    """
    if load().mlflow_tracking_uri.startswith("http") and not serving.startswith("s3://"):
        raise InvalidSettings(f"{serving} is a directory and MLflow is a server: put the folders in an object store (s3://...)")
    client = connect()
    try:
        _ensure_model(name)
        for version in client.search_model_versions(f"name = '{name}'"):
            if version.tags.get("serving_digest") == serving_digest:
                return _registered(name, version)
        tags = {"package": package, "serving": serving, "serving_digest": serving_digest, "report": report}
        source = serving if "://" in serving else f"file://{serving}"
        return _registered(name, client.create_model_version(name, source=source, run_id=run_id, tags=tags))
    except MlflowException as error:
        raise unavailable(error) from error


def resolve(name: str, alias: str) -> RegisteredModel:
    """Return the version that an alias points at now.

    Raises:
        UnknownModel: there is no such model or alias.
        TrackingUnavailable: MLflow does not answer.
    """
    try:
        return _registered(name, connect().get_model_version_by_alias(name, alias))
    except MlflowException as error:
        if error.error_code in (ErrorCode.Name(ErrorCode.RESOURCE_DOES_NOT_EXIST), ErrorCode.Name(ErrorCode.INVALID_PARAMETER_VALUE)):
            raise UnknownModel(f"the registry has no model '{name}' with alias '{alias}': register and promote it first") from None
        raise unavailable(error) from error


def version_of(name: str, version: int) -> RegisteredModel:
    """Return one version.

    Raises:
        UnknownModel: there is no such version.
        TrackingUnavailable: MLflow does not answer.
    """
    try:
        return _registered(name, connect().get_model_version(name, str(version)))
    except MlflowException as error:
        raise _unknown_or_unavailable(error, name, version) from error


def require_model(name: str) -> None:
    """See to it that there is a model.

    Raises:
        UnknownModel: there is none of this name.
        TrackingUnavailable: MLflow does not answer.
    """
    try:
        connect().get_registered_model(name)
    except MlflowException as error:
        if error.error_code == ErrorCode.Name(ErrorCode.RESOURCE_DOES_NOT_EXIST):
            raise UnknownModel(f"the registry has no model '{name}': register one first") from None
        raise unavailable(error) from error


def alias_version(name: str, alias: str) -> int | None:
    """Return the version that an alias points at, None where there is none yet."""
    try:
        aliases = connect().get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code == ErrorCode.Name(ErrorCode.RESOURCE_DOES_NOT_EXIST):
            return None
        raise unavailable(error) from error
    return int(aliases[alias]) if alias in aliases else None


def aliases_of_models() -> dict[str, dict[str, int]]:
    """Return the aliases of every registered model, and the version each points at.

    Raises:
        TrackingUnavailable: MLflow does not answer.
    """
    client = connect()
    found: dict[str, dict[str, int]] = {}
    try:
        page = client.search_registered_models()
        while True:
            found |= {model.name: {alias: int(version) for alias, version in model.aliases.items()} for model in page}
            if not page.token:
                return found
            page = client.search_registered_models(page_token=page.token)
    except MlflowException as error:
        raise unavailable(error) from error


def set_alias(name: str, alias: str, version: int | None) -> None:
    """Let an alias point at a version, or at none.

    Raises:
        UnknownModel: there is no such version.
        TrackingUnavailable: MLflow does not answer.
    """
    client = connect()
    try:
        if version is None:
            client.delete_registered_model_alias(name, alias)
        else:
            client.set_registered_model_alias(name, alias, str(version))
    except MlflowException as error:
        raise _unknown_or_unavailable(error, name, version) from error


def tag_version(name: str, version: int, key: str, value: str) -> None:
    """State a fact about a version, as why it was not promoted.

    Raises:
        UnknownModel: there is no such version.
        TrackingUnavailable: MLflow does not answer.
    """
    try:
        connect().set_model_version_tag(name, str(version), key, value)
    except MlflowException as error:
        raise _unknown_or_unavailable(error, name, version) from error


def registered_versions() -> list[RegisteredModel]:
    """Return all versions of all models, by name and then the newest first; what others registered there is left out.

    Raises:
        TrackingUnavailable: MLflow does not answer.
    """
    return list(_search("", PAGE))


def newest_versions(name: str, limit: int, before: int | None = None) -> list[RegisteredModel]:
    """Return versions of a model, the newest first, without asking for all there are; what others registered there is left out.

    Args:
        name: of the registered model.
        limit: how many at most.
        before: only versions older than this one; the last of the page before.

    Raises:
        TrackingUnavailable: MLflow does not answer.
    """
    older = "" if before is None else f" AND version_number < {before}"
    return list(islice(_search(f"name = '{name}'{older}", limit), limit))


def _search(asked: str, page_size: int) -> Iterator[RegisteredModel]:
    client, token = connect(), None
    try:
        while True:
            page = client.search_model_versions(asked, page_size, ["name ASC", "version_number DESC"], token)
            for version in page:
                if "serving_digest" in version.tags:
                    yield _registered(version.name, version)
            if not (token := page.token):
                return
    except MlflowException as error:
        raise unavailable(error) from error


def _unknown_or_unavailable(error: MlflowException, name: str, version: int | None) -> TrackingUnavailable:
    if error.error_code == ErrorCode.Name(ErrorCode.RESOURCE_DOES_NOT_EXIST):
        return UnknownModel(f"the registry has no version {version} of '{name}'")
    return unavailable(error)


def _ensure_model(name: str) -> None:
    try:
        connect().create_registered_model(name)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(ErrorCode.RESOURCE_ALREADY_EXISTS):
            raise


def _registered(name: str, version) -> RegisteredModel:  # type: ignore[no-untyped-def]
    tags = version.tags
    try:
        return RegisteredModel(name, int(version.version), tags["package"], tags["serving"], tags["serving_digest"], tags["report"])
    except KeyError as error:
        raise UnknownModel(
            f"version {version.version} of '{name}' names no {error.args[0]}, it was not registered by EarthEye: use `eartheye register`"
        ) from None
