"""The servers of a demonstration on real ones that run already, with the services of this process on them."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import make_url

from eartheye import settings
from eartheye.contracts import GatePolicy
from eartheye.errors import InvalidSettings, ServerNotStarted
from services.admin.health.probes import Probes
from services.admin.platform import open_platform
from services.demo.servers import Servers, environment, services
from services.stack.local_stack import ENVIRONMENT, read_environment, servers
from services.stack.minio import BUCKET
from services.stack.place import Place
from services.stack.supervisor import look

DIGITS = 8
"""Of the digest of a run folder's path: keeps apart two folders of the same name."""
WORDS = {
    "postgres": "Platform database: PostgreSQL at {}.",
    "minio": "Object store: MinIO at {}.",
    "kafka": "Message bus: Kafka at {}.",
    "mlflow": "Tracking and registry: an MLflow server on PostgreSQL, at {}.",
    "triton": "Inference: Triton with ONNX Runtime, gRPC at {}.",
}


def run_root(run: Path) -> str:
    """Return the folder of a run in the stack's object store: named after the run's folder, and for that folder alone."""
    path = run.resolve()
    return f"s3://{BUCKET}/{path.name}-{hashlib.sha256(bytes(path)).hexdigest()[:DIGITS]}"


@contextmanager
def stack_servers(stack: Path, data: Path, gate: GatePolicy) -> Iterator[Servers]:
    """Name the servers in the environment, and start the services on them, for the length of a block.

    Args:
        stack: folder of the local stack; where there is none, the servers are those that the settings name already.
        data: folder that scenes may be read from.
        gate: what the registry asks of a candidate where EARTHEYE_GATE does not say.

    Raises:
        InvalidSettings: no stack was started there, and the settings name no servers.
        ServerNotStarted: a server does not answer.
        UserError: the database of the settings cannot be used, or a service ended before its time.
    """
    answering = find_servers(stack)
    words = [WORDS[name].format(address) for name, address in answering.items()]
    if "triton" not in answering:
        words.append("Inference: ONNX Runtime in this process, for there is no Triton.")
    with environment(shared_settings(started_here(stack), data, gate)), services(nullcontext({})) as ended:
        yield Servers(words, ended)


def find_servers(stack: Path) -> dict[str, str]:
    """Return the address of each server, of those that answer; only Triton may be left out.

    Args:
        stack: folder of the local stack; where there is none, the servers are those that the settings name already.

    Raises:
        InvalidSettings: no stack was started there, and the settings name no servers.
        ServerNotStarted: a server does not answer.
        UserError: the database of the settings cannot be used.
    """
    if variables := started_here(stack):
        return check_servers(stack, variables)
    answering = named_servers(stack)
    ask_named_servers()
    return answering


def started_here(stack: Path) -> dict[str, str]:
    """Return the variables of the stack in a folder; none where no stack was started there."""
    return read_environment(stack) if (stack / ENVIRONMENT).exists() else {}


def shared_settings(stack: dict[str, str], data: Path, gate: GatePolicy) -> dict[str, str]:
    """Return the variables of services that share the work with others on the same servers, as those of `eartheye serve all`.

    Each of them may be given what another was asked: so the folder of the work is the stack's, every folder that is allowed there is
    allowed here, and the gate is no other than the one that is set.

    Args:
        stack: variables of the stack.
        data: folder that scenes may be read from.
        gate: what the registry asks of a candidate where the settings do not say.
    """
    named = settings.load()
    roots = [*named.allowed_roots, *json.loads(stack.get("EARTHEYE_ALLOWED_ROOTS", "[]")), f"s3://{BUCKET}", str(data.resolve())]
    asked = named.gate if "gate" in named.model_fields_set else gate
    return stack | {"EARTHEYE_ALLOWED_ROOTS": json.dumps(list(dict.fromkeys(roots))), "EARTHEYE_GATE": asked.model_dump_json()}


def named_servers(stack: Path) -> dict[str, str]:
    """Return the address of each server that the settings name, as those of `docker/compose.env` do; Triton may be left out.

    Args:
        stack: where no local stack was started.

    Raises:
        InvalidSettings: the settings name no servers that several processes share.
    """
    named = settings.load()
    database = make_url(named.database_url)
    if database.drivername.startswith("sqlite") or not named.job_work.startswith("s3://"):
        raise InvalidSettings(
            f"there is no {stack / ENVIRONMENT} and EARTHEYE_* names none: run `eartheye stack up`, or set what docker/compose.env has"
        )
    servers = {
        "postgres": f"{database.host}:{database.port}",
        "minio": named.s3_endpoint,
        "kafka": named.kafka_bootstrap,
        "mlflow": named.mlflow_tracking_uri,
    }
    return servers | ({"triton": named.triton_url} if named.predictor == "triton" else {})


def ask_named_servers() -> None:
    """Ask each server that the settings name whether it answers, before the first step and not in the middle of the chain.

    Raises:
        DatabaseUnavailable: the database does not answer.
        SchemaMismatch: it has the schema of another release.
        ServerNotStarted: another server does not.
    """
    with open_platform(settings.load()) as platform:
        silent = [found.words for found in Probes(platform).ask() if not found.ok]
    if silent:
        raise ServerNotStarted(f"{'; '.join(silent)}; start what is missing, or correct EARTHEYE_*")


def check_servers(stack: Path, variables: dict[str, str]) -> dict[str, str]:
    """Return the address of each server of a stack; Triton may be left out where it cannot run.

    Args:
        stack: the stack's folder.
        variables: its environment.

    Raises:
        ServerNotStarted: one does not run, or does not answer.
    """
    place = Place(stack, settings.load().cache)
    wanted = [server for server in servers() if server.name != "triton" or "EARTHEYE_TRITON_URL" in variables]
    findings = [look(server, place) for server in wanted]
    if silent := [f"{finding.server} ({finding.state})" for finding in findings if finding.state != "running"]:
        raise ServerNotStarted(f"not there: {', '.join(silent)}; run `eartheye stack up`")
    return {finding.server: finding.address for finding in findings}
