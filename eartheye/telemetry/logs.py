"""Structured logs: events with fields, as lines for people or JSON for machines, on standard error."""

import logging
import sys

import structlog

from eartheye.settings import load


def configure_logs() -> None:
    """Set the process's log level and format from the settings."""
    settings = load()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if settings.log_format == "json":
        render: list[structlog.typing.Processor] = [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    else:
        render = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)]
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level)),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.getLogger("kafka").setLevel(logging.ERROR)  # it warns of every slow moment of its event loop
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger; `log.info("tiles cut", count=12)`: an event, and its facts as fields."""
    return structlog.get_logger(source=name)
