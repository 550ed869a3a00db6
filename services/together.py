"""Services as threads of this process: when one ends, for whatever reason, all do."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from eartheye.errors import UserError
from eartheye.settings import Settings
from eartheye.telemetry import get_logger

Service = Callable[[Settings, threading.Event], None]
"""Serves until its event is set."""
log = get_logger(__name__)


@contextmanager
def together(services: Mapping[str, Service], settings: Settings, stop: threading.Event) -> Iterator[None]:
    """Run services for the length of a block. The block is to end as well once `stop` is set.

    Args:
        services: by name.
        settings: of each of them.
        stop: ends them; set when the block ends, and when one of them does.

    Raises:
        UserError: why the first one ended that was not told to; it takes the place of what the block raised for want of that service.
    """
    failures: list[BaseException] = []

    def run(name: str, service: Service) -> None:
        try:
            service(settings, stop)
        except BaseException as failure:
            log.error("a service ended", role=name, reason=str(failure), exc_info=not isinstance(failure, UserError))
            failures.append(failure)
        finally:
            stop.set()

    threads = [threading.Thread(target=run, args=service, name=service[0]) for service in services.items()]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
