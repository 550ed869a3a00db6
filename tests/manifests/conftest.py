"""Both overlays, rendered once."""

from pathlib import Path

import pytest

from eartheye.errors import ServerNotStarted
from tests.manifests.rendering import Resource, copy_with_secrets, kustomize_command, render


@pytest.fixture(scope="session")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the manifests with secrets; skipped where nothing can render them."""
    try:
        kustomize_command()
    except ServerNotStarted as reason:
        pytest.skip(f"manifests are rendered by kubectl or kustomize: {reason}")
    return copy_with_secrets(tmp_path_factory.mktemp("manifests"))


@pytest.fixture(scope="session")
def rendered(manifests: Path) -> dict[str, list[Resource]]:
    """The resources of each overlay."""
    return {name: render(manifests / "overlays" / name) for name in ("kind", "production")}


@pytest.fixture(params=["kind", "production"])
def overlay(request: pytest.FixtureRequest, rendered: dict[str, list[Resource]]) -> list[Resource]:
    """The resources of one overlay, then of the other."""
    return rendered[request.param]
