"""Servers of the local stack for tests, on ports that nobody uses, in folders that the tests throw away."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from eartheye.errors import ServerNotStarted
from eartheye.settings import Settings
from services.stack.kafka_install import java_program, kafka_jars
from services.stack.local_stack import servers, write_environment
from services.stack.minio_install import minio_program
from services.stack.place import Place, free_port
from services.stack.server import Server
from services.stack.supervisor import start_all, stop_all
from services.stack.triton_install import triton_program
from tests.waiting import LIMIT_S


def patient(chosen: Sequence[Server]) -> list[Server]:
    """Return servers that are waited for on however busy a machine."""
    return [replace(server, start_limit_s=LIMIT_S) for server in chosen]


@contextmanager
def running_servers(chosen: Sequence[Server], root: Path, cache: Path) -> Iterator[Place]:
    """Start servers, and end them with the block; raises ServerNotStarted where one cannot be had."""
    chosen, place = patient(chosen), Place(root, cache)
    place.ports = {service: free_port() for server in chosen for service in server.ports}
    place.save()
    try:
        findings = start_all(chosen, place, lambda finding: None)
        if missing := [f"{finding.server}: {finding.words}" for finding in findings if finding.state == "failed"]:
            raise ServerNotStarted("; ".join(missing))
        write_environment(place, chosen, findings)
        yield place
    finally:
        stop_all(chosen, place, lambda finding: None)


@pytest.fixture(scope="session")
def stack_programs() -> Path:
    """The cache with the programs of all servers; tests that need them are skipped where one cannot be had."""
    cache = Settings().cache
    try:
        java_program()
        for program in (kafka_jars, minio_program, triton_program):
            program(cache)
    except ServerNotStarted as reason:
        pytest.skip(str(reason))
    return cache


@pytest.fixture(scope="session")
def stack(stack_programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """All servers of the stack, running."""
    with running_servers(servers(), tmp_path_factory.mktemp("stack"), stack_programs) as place:
        yield place
