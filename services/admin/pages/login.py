"""The login: a key is shown once, and the browser is remembered by the server."""

from asyncio import to_thread

from fastapi import FastAPI
from nicegui import ui

from eartheye.errors import UserError
from services.admin.keys.store import check_token
from services.admin.pages.frame import look
from services.admin.pages.visitor import Visitor


def add_login_page(app: FastAPI) -> None:
    """Add the page at `/login`."""

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
            visitor.sessions.begin(visitor.session, key.key)
            ui.navigate.to("/")

        with ui.element("section").classes("panel self-center q-mt-xl").style("max-width: 420px"):
            ui.html("<h2>EarthEye</h2>", sanitize=False)
            ui.label("Sign in with an API key. An admin gives keys; the first one was printed at the first start.").classes("quiet")
            token = ui.input("API key", password=True).props("outlined dense autofocus").classes("w-full q-mt-md")
            token.on("keydown.enter", sign_in)
            ui.button("Sign in", on_click=sign_in).props("unelevated no-caps").classes("q-mt-md")
