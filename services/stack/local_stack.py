"""The local stack: which servers it has, and what leads a process to them."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from eartheye.errors import InvalidSettings
from services.stack.kafka import kafka_server
from services.stack.minio import BUCKET, minio_server
from services.stack.mlflow_server import mlflow_server
from services.stack.place import Place, past_proxies, write_private
from services.stack.postgres import postgres_server
from services.stack.server import Server
from services.stack.supervisor import Finding
from services.stack.triton import triton_server

FOLDER = Path(".stack")
ENVIRONMENT = "env"
RUNS = "runs"
"""Folder beside the stack's, where demonstrations leave their scenes; maps may be asked of these too."""


def servers() -> tuple[Server, ...]:
    """Return the servers of the stack, each after those that it needs."""
    return (postgres_server(), minio_server(), kafka_server(), mlflow_server(), triton_server())


def write_environment(place: Place, stack: Sequence[Server], findings: Sequence[Finding]) -> Path:
    """Write the variables that lead to the servers that run, past any proxy, for a shell to read.

    Args:
        place: the stack's folder.
        stack: its servers.
        findings: what became of each.

    Returns:
        The file; it holds passwords and is for its owner alone.
    """
    running = {finding.server for finding in findings if finding.state in ("running", "started")}
    variables: dict[str, str] = {}
    for server in stack:
        if server.name in running:
            variables |= server.settings(place)
    if "minio" in running:
        roots = [f"s3://{BUCKET}", str(place.root.parent / RUNS)]
        variables |= {"EARTHEYE_ALLOWED_ROOTS": json.dumps(roots), "EARTHEYE_JOB_WORK": f"s3://{BUCKET}/work"}
    if running:
        variables |= past_proxies()
    path = place.root / ENVIRONMENT
    write_private(path, "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items()))
    return path


def read_environment(folder: Path) -> dict[str, str]:
    """Return the variables that `write_environment` wrote.

    Args:
        folder: the stack's folder.

    Raises:
        InvalidSettings: there is no such file: no stack was started there.
    """
    path = folder / ENVIRONMENT
    if not path.exists():
        raise InvalidSettings(f"there is no {path}: start the servers with `eartheye stack up`")
    words = shlex.split(path.read_text())
    return {name: value for name, _, value in (word.partition("=") for word in words)}
