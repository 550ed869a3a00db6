"""What all pages share: the bar above, the look, and the way to the login."""

from asyncio import to_thread
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from fastapi import FastAPI
from nicegui import ui

from eartheye.database import answering
from eartheye.errors import UserError
from eartheye.telemetry import get_logger
from services.admin.pages.visitor import Visitor

log = get_logger(__name__)
PLACES = (("Overview", "/"), ("Models", "/models"), ("Jobs", "/jobs"), ("Datasets", "/datasets"))
RELOAD_S = 5.0
STATE_COLOURS = {
    "done": "positive",
    "applied": "positive",
    "failed": "negative",
    "rejected": "negative",
    "refused": "negative",
    "cancelled": "grey",
}
"""Colours of states of jobs and decisions; all others are at work."""
CSS = """
body { background: #f5f6f4; color: #1d2a2f; overflow-wrap: anywhere; }
.nicegui-content { max-width: 1200px; margin: 0 auto; padding: 24px; gap: 20px; }
.panel { background: white; border: 1px solid #dfe3df; border-radius: 6px; padding: 18px 20px; width: 100%; }
.panel h2 { font-size: 1.05rem; line-height: 1.4; font-weight: 600; margin: 0 0 8px 0; }
.quiet { color: #66757a; font-size: 0.86rem; }
.figure { font-size: 1.7rem; font-weight: 600; line-height: 1.2; }
.leaflet-container { background: #e6eae6; }
.swatch { width: 14px; height: 14px; border: 1px solid #0003; border-radius: 2px; }
"""


@asynccontextmanager
async def frame(app: FastAPI, title: str) -> AsyncIterator[Visitor | None]:
    """Give a page its frame; who is not signed in is led to the login, and None is given.

    Where the database does not answer, the page says so, and loads again until it does.

    Args:
        app: the API that the pages stand on.
        title: of the page.
    """
    visitor = Visitor.of(app)
    look(title)
    browser, waiting = ui.context.client, ui.label("Asking the database ...").classes("quiet")
    await browser.connected()  # what is shown so far is sent at once: the database may hang, and a browser waits for no page that long
    if browser.is_deleted:  # it only fetched the page
        yield None
        return
    try:
        principal = await to_thread(lambda: visitor.principal)
    except UserError as error:
        _wait_for_better_times(error)
        yield None
        return
    waiting.delete()
    if principal is None:
        ui.navigate.to("/login")
        yield None
        return

    visitor.sessions.note_use(visitor.session)

    def sign_out() -> None:
        visitor.sessions.end(visitor.session)
        ui.navigate.to("/login")

    with ui.header(elevated=False).classes("items-center q-px-lg q-py-sm"):
        ui.label("EarthEye").classes("text-weight-bold text-subtitle1 q-mr-lg")
        for name, path in PLACES:
            weight = "text-weight-bold" if name == title else ""
            ui.link(name, path).classes(f"text-white no-underline q-mr-md {weight}")
        ui.space()
        ui.label(f"{principal.name}, {principal.role}").classes("q-mr-md")
        ui.button("Sign out", on_click=sign_out).props("flat dense color=white no-caps")
    try:
        with answering(visitor.platform.engine):
            yield visitor
    except UserError as error:
        _wait_for_better_times(error)


def keep_looking(visitor: Visitor, every_s: float, show: Callable[[], Awaitable[None]], content: ui.element) -> None:
    """Show a page's content anew, again and again, as long as the visitor is signed in.

    While it cannot be had, the reason stands in its place: what was true before may not be so now.

    Args:
        visitor: whose page it is.
        every_s: pause between two looks.
        show: looks, and shows what has changed.
        content: what is hidden meanwhile.
    """
    trouble = ui.label().classes("text-negative")

    async def look_again() -> None:
        try:
            with answering(visitor.platform.engine):
                if await to_thread(lambda: visitor.principal) is None:
                    ui.navigate.to("/login")
                    return
                await show()
        except UserError as error:
            trouble.set_text(str(error))
            content.set_visibility(False)
        except Exception:
            if content.is_deleted:  # the browser went away meanwhile
                return
            log.exception("fault of a page's look")
            trouble.set_text("This cannot be shown now: a fault of this service; its log has more.")
            content.set_visibility(False)
        else:
            trouble.set_text("")
            content.set_visibility(True)

    ui.timer(every_s, look_again)


def _wait_for_better_times(error: UserError) -> None:
    ui.label(str(error)).classes("text-negative")
    ui.timer(RELOAD_S, ui.navigate.reload, once=True)


def look(title: str) -> None:
    """Set title, colours and style of a page."""
    ui.page_title(f"{title} · EarthEye")
    ui.colors(primary="#21505c", positive="#2f7d4f", negative="#b3392f")
    ui.add_css(CSS)


def state_badge(state: str) -> ui.badge:
    """Show a state in its colour."""
    return ui.badge(state, color=STATE_COLOURS.get(state, "primary")).props("outline")


@contextmanager
def panel(title: str) -> Iterator[None]:
    """Show a white panel with a title."""
    with ui.element("section").classes("panel"):
        ui.html(f"<h2>{title}</h2>", sanitize=False)
        yield
