"""A question that is asked before a click does its work."""

from collections.abc import Awaitable, Callable, Sequence

from nicegui import ui

from services.admin.models.schemas import ModelStanding


class Question:
    """Asks before a decision about a model is made; one of its kind a page, of which the rest may be drawn anew meanwhile."""

    def __init__(self) -> None:
        self._dialog = ui.dialog()
        self._about: ModelStanding | None = None

    async def ask(self, about: ModelStanding, words: str, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Ask, and do the work where the visitor agrees.

        Args:
            about: the model as the words describe it.
            words: the question.
            name: of the button that agrees.
            work: what is asked about.
        """
        self._about = about
        self._dialog.clear()
        with self._dialog:  # not in the place of the button that was clicked, which may be gone by then
            with ui.card():
                ui.label(words)
                with ui.row().classes("w-full justify-end"):
                    ui.button("Cancel", on_click=lambda: self._dialog.submit(False)).props("flat no-caps")
                    ui.button(name, on_click=lambda: self._dialog.submit(True)).props("unelevated no-caps")
            if await self._dialog:
                await work()

    def withdraw_where_outdated(self, models: Sequence[ModelStanding]) -> None:
        """Close the question where it was decided about its model meanwhile, and say so.

        Args:
            models: where each stands now.
        """
        if self._about is None or not self._dialog.value:
            return
        now = next((model for model in models if model.model == self._about.model), None)
        if now and now.generation == self._about.generation:
            return
        self._dialog.close()
        words = f"was decided about meanwhile, {now.words}" if now else "is not in the list any more"
        ui.notify(f"The question is out of date: {self._about.model} {words}.", type="warning", timeout=0, close_button="Close")
