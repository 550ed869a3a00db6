"""The admin service on real parts: a database, MLflow on SQLite, an embedded broker, and a key of each role."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from eartheye import settings
from eartheye.contracts import GatePolicy
from services.admin.app import create_app
from services.admin.keys.store import create_key
from services.admin.platform import Platform, open_platform
from services.admin.roles import Role
from services.stack.broker import API_VERSION, embedded_broker

POLICY = GatePolicy(min_miou=0.5, max_loss_to_champion=0.05)


@dataclass(frozen=True)
class Admin:
    """A running admin service, and how to ask it."""

    root: Path
    """Allowed folder."""
    platform: Platform
    client: TestClient
    tokens: dict[Role, str]

    def ask(self, method: str, path: str, role: Role | None = Role.ADMIN, **more):  # type: ignore[no-untyped-def]
        """Send a request with the key of a role."""
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
        return self.client.request(method, path, headers=headers | more.pop("headers", {}), **more)


@contextmanager
def embedded_parts(root: Path) -> Iterator[None]:
    """Start a broker, and name it and files below `root` in the environment, for this process and its children."""
    with embedded_broker() as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARTHEYE_MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
        patch.setenv("EARTHEYE_DATABASE_URL", f"sqlite:///{root}/eartheye.db")
        patch.setenv("EARTHEYE_KAFKA_BOOTSTRAP", address)
        patch.setenv("EARTHEYE_KAFKA_API_VERSION", str(list(API_VERSION)))
        patch.setenv("EARTHEYE_ALLOWED_ROOTS", f'["{root}"]')
        patch.setenv("EARTHEYE_JOB_WORK", f"{root}/work")
        patch.setenv("EARTHEYE_PREDICTOR_THREADS", "1")
        patch.setenv("EARTHEYE_GATE", POLICY.model_dump_json())
        settings.load.cache_clear()
        yield
    settings.load.cache_clear()


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    root = tmp_path_factory.mktemp("admin")
    with embedded_parts(root), open_platform(settings.load()) as platform:
        tokens = {role: create_key(platform.engine, role.value, role, "test").token for role in Role}
        with TestClient(create_app(platform), raise_server_exceptions=False) as client:
            yield Admin(root, platform, client, tokens)
