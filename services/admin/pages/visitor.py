"""Who looks at a page, and what a click may do."""

from asyncio import to_thread
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fastapi import FastAPI
from nicegui import app as pages
from nicegui import ui

from eartheye.database import answering
from eartheye.errors import NotSignedIn, TrackingUnavailable, UserError
from eartheye.telemetry import get_logger
from eartheye.tracking import RegisteredModel
from services.admin.access import Principal
from services.admin.health.probes import Probes
from services.admin.models.schemas import ModelStanding
from services.admin.models.service import list_models, list_standings
from services.admin.platform import Platform
from services.admin.probe import Probe
from services.admin.sessions import Sessions

log = get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Visitor:
    """A browser, and what the pages work on. Session and key are looked up at each click: one that has ended does nothing more."""

    platform: Platform
    sessions: Sessions
    probes: Probes
    registry: Probe[list[RegisteredModel]]
    """What MLflow has; asked by all open pages together, for however many there are."""
    session: str

    @classmethod
    def of(cls, app: FastAPI) -> "Visitor":
        """Return whose browser asks for a page; to be called while the page is built."""
        state = app.state
        return cls(state.platform, state.sessions, state.probes, state.registry, pages.storage.browser["id"])

    @property
    def principal(self) -> Principal | None:
        """Who signed in, None where nobody did or the session is over; asks the database, so not to be asked for in the event loop."""
        key = self.sessions.key(self.session, self.platform)
        return Principal.of(key) if key else None

    async def may(self, action: str) -> bool:
        """Say whether the role suffices for a route, so that a page need not show what would be refused."""
        principal = await to_thread(lambda: self.principal)
        return principal is not None and principal.may(action)

    def models(self) -> tuple[Sequence[ModelStanding], str | None]:
        """Return the registered models: where they stand now, and how many versions MLflow had within the last seconds.

        While MLflow does not answer: those that the platform decided about, and the reason.
        """
        asked = self.registry.ask()
        try:
            if not asked.wait():
                raise TrackingUnavailable(f"MLflow does not answer since {asked.since:%Y-%m-%d %H:%M:%S} UTC: see to it")
            return list_models(self.platform, asked.answer.result()), None
        except TrackingUnavailable as error:
            return list_standings(self.platform), str(error)

    async def act(self, action: str, work: Callable[[Principal], T]) -> T | None:
        """Do what a click asks, as the route of the same name would; what goes wrong is shown, and None returned.

        Args:
            action: the route that stands for it, as `POST /v1/jobs`; its role is asked here, whatever the page showed.
            work: is given who asks; runs in a thread.
        """

        def checked() -> T:
            if (principal := self.principal) is None:
                raise NotSignedIn("your session is over, or your key no longer in force: sign in again")
            self.sessions.note_use(self.session)
            principal.require(action)
            with answering(self.platform.engine):
                return work(principal)

        with ui.context.client:  # not in the place of what was clicked, which may be drawn anew meanwhile
            try:
                return await to_thread(checked)
            except UserError as error:
                ui.notify(str(error), type="negative", multi_line=True, timeout=0, actions=[{"label": "Close", "color": "white"}])
            except Exception:
                log.exception("fault of a page", action=action)
                ui.notify("A fault of this service; its log has more.", type="negative")
        return None
