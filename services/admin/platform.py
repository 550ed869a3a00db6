"""What the routes and pages work on: the platform as the settings name it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from eartheye.bus import Bus, open_bus
from eartheye.database import connect
from eartheye.settings import Settings
from services.schema.migrate import require_schema

PATIENCE_S = 5.0
"""How long somebody who waits for an answer waits for the bus; services wait longer."""


@dataclass(frozen=True)
class Platform:
    """Everything behind the API."""

    settings: Settings
    engine: Engine
    """The platform's database."""
    bus: Bus


@contextmanager
def open_platform(settings: Settings) -> Iterator[Platform]:
    """Connect to the platform for the length of a block.

    Raises:
        DatabaseUnavailable: the database does not answer.
        SchemaMismatch: it has the schema of another release.
    """
    engine = connect(settings)
    require_schema(engine)
    try:
        patience_s = min(settings.kafka_timeout_s, PATIENCE_S)
        with open_bus(settings.model_copy(update={"kafka_timeout_s": patience_s})) as bus:
            yield Platform(settings, engine, bus)
    finally:
        engine.dispose()


async def _platform(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


PlatformDep = Annotated[Platform, Depends(_platform)]
"""The platform, as an argument of a route."""
