"""The login: a key is shown once, and the browser gets a session."""

from asyncio import to_thread

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from nicegui import ui

from eartheye.errors import UserError
from services.admin.keys.store import check_token
from services.admin.pages.frame import look
from services.admin.pages.visitor import Visitor


def add_login_page(app: FastAPI) -> None:
    """Add the page at `/login`, and the way from there into a session."""

    async def enter(request: Request) -> Response:
        """Give the browser a session under a new name; a page's own connection cannot set a cookie."""
        session = app.state.sessions.begin(request.path_params["ticket"], request.session.get("id", ""))
        if session is not None:
            request.session["id"] = session
        return RedirectResponse("/" if session else "/login", 303)

    app.add_route("/login/{ticket}", enter, include_in_schema=False)

    @ui.page("/login")
    def login() -> None:
        visitor = Visitor.of(app)
        look("Sign in")

        async def sign_in() -> None:
            try:
                key = await to_thread(check_token, visitor.platform.engine, token.value.strip())
            except UserError as error:
                token.error = str(error)
                return
            ui.navigate.to(f"/login/{visitor.sessions.give_ticket(visitor.session, key.key)}")

        with ui.element("section").classes("panel self-center q-mt-xl").style("max-width: 420px"):
            ui.html("<h2>EarthEye</h2>", sanitize=False)
            ui.label("Sign in with an API key. An admin gives keys; the first one was printed at the first start.").classes("quiet")
            token = ui.input("API key", password=True).props("outlined dense autofocus").classes("w-full q-mt-md")
            token.on("keydown.enter", sign_in)
            ui.button("Sign in", on_click=sign_in).props("unelevated no-caps").classes("q-mt-md")
