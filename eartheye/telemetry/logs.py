"""Structured logs: events with fields, as lines for people or JSON for machines, on standard error."""

import logging
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from eartheye.errors import UserError
from eartheye.settings import load
from eartheye.telemetry.repetition import Repetition

FOREIGN = "eartheye-foreign"
"""Name of the handler that takes the lines of other libraries."""
VARYING = ("attempt", "timestamp")
"""Fields in which two warnings about the same trouble may differ."""


def configure_logs() -> None:
    """Set the process's log level and format from the settings, for its own events and for the lines of other libraries."""
    settings = load()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        tell_user_errors_in_one_line,
    ]
    if settings.log_format == "json":
        # without the local variables: they may hold anything, a password too
        tracebacks = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
        render: list[Processor] = [tracebacks, structlog.processors.JSONRenderer()]
    else:
        colours = sys.stderr.isatty()
        console = structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback)
        render = [structlog.processors.ExceptionRenderer(), escape_what_a_console_obeys, console]
    structlog.configure(
        processors=[*shared, OnceInAWhile(), *render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level)),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name(FOREIGN)
    handler.addFilter(KafkaOnceInAWhile())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(allow=["left_out"]), name_source, *shared],
            processors=[remove_meta, *render],
        )
    )
    root = logging.getLogger()
    for earlier in [earlier for earlier in root.handlers if earlier.get_name() == FOREIGN]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("kafka").setLevel(logging.ERROR)  # it warns of every slow moment of its event loop


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger; `log.info("tiles cut", count=12)`: an event, and its facts as fields."""
    return structlog.get_logger(source=name)


def tell_user_errors_in_one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put the message of a `UserError` in place of its traceback: it says what to change, and where it arose changes nothing."""
    given = event.get("exc_info")
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, UserError):
        del event["exc_info"]
        event.setdefault("reason", str(error))
    return event


def escape_what_a_console_obeys(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write control characters as Python does: whoever sends a request may put them into its path, and a terminal does what they say.

    Line ends and tabs stay where they do no harm: a traceback needs them, and a value that has one is shown in quotes. The event is not.
    """
    return {name: _escaped(value, "" if name == "event" else "\n\t") if isinstance(value, str) else value for name, value in event.items()}


def _escaped(text: str, kept: str) -> str:
    return "".join(each if each.isprintable() or each in kept else repr(each)[1:-1] for each in text)


def name_source(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Say where a line of another library comes from, as `get_logger` does for ours."""
    event["source"] = event["_record"].name
    return event


class OnceInAWhile:
    """Leaves out warnings that were told a moment ago, and says with the next how many they were. A traceback is always told."""

    def __init__(self) -> None:
        self._repetition = Repetition()

    def __call__(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Pass an event on, or drop it."""
        if method != "warning" or event.get("exc_info"):
            return event
        same = frozenset((name, repr(value)) for name, value in event.items() if name not in VARYING)
        left_out = self._repetition.left_out(same)
        if left_out is None:
            raise structlog.DropEvent
        return {**event, "left_out": left_out} if left_out else event


class KafkaOnceInAWhile(logging.Filter):
    """Leaves out what kafka-python said a moment ago: each connection that is not made is an error to it, several a second."""

    def __init__(self) -> None:
        super().__init__()
        self._repetition = Repetition()

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a line is told."""
        if record.name.partition(".")[0] != "kafka":
            return True
        left_out = self._repetition.left_out((record.name, record.msg))  # the message without its arguments, as numbers of connections
        if left_out:
            record.left_out = left_out
        return left_out is not None
