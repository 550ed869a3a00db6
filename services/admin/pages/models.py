"""The models: versions with the gate's verdict, promotion and rollback, the audit."""

from asyncio import to_thread
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import FastAPI
from nicegui import ui

from eartheye.errors import UserError
from services.admin.models.schemas import DecisionOut, GateOut, ModelStanding, VersionOut
from services.admin.models.service import ask_gate, decide_promotion, decide_rollback, list_decisions, list_versions
from services.admin.pages.frame import frame, keep_looking, state_badge
from services.admin.pages.visitor import Visitor
from services.admin.platform import Platform

LOOK_S = 1.5
NEWEST = 8
"""Versions shown with their verdict; the API has all."""
AUDIT = 6
"""Decisions shown."""
PROMOTE, ROLL_BACK = "POST /v1/models/{model}/promote", "POST /v1/models/{model}/rollback"


@dataclass(frozen=True)
class Known:
    """What can be said of a model now."""

    model: ModelStanding
    decided: list[DecisionOut]
    versions: list[tuple[VersionOut, GateOut]]
    away: str | None
    """Why the versions cannot be had: the rest is in the platform's database, and a roll back needs no more."""


def add_models_page(app: FastAPI) -> None:
    """Add the page at `/models`."""

    @ui.page("/models")
    async def models_page() -> None:
        async with frame(app, "Models") as visitor:
            if visitor is None:
                return
            place, shown = ui.column().classes("w-full gap-5"), list[Known]()
            seen = list[object]()
            with place:
                ui.label("Asking the registry and the gate ...").classes("quiet")

            async def look_again() -> None:
                """Show anew what has changed, and leave alone what somebody may be about to click."""
                models, away = await to_thread(visitor.models)
                decided = {model.model: await to_thread(list_decisions, visitor.platform, model.model, AUDIT) for model in models}
                if seen == [models, away, decided] and not any(each.away for each in shown):
                    return
                known = [await to_thread(_know, visitor.platform, model, decided[model.model], away) for model in models]
                if seen == [models, away, decided] and shown == known:
                    return
                seen[:], shown[:] = [models, away, decided], known
                place.clear()
                with place:
                    if away and not known:
                        ui.label(away).classes("text-negative")
                    for each in known:
                        await _show(visitor, each)
                    if not known and not away:
                        ui.label("No model is registered yet: `eartheye register` or a pipeline does that.").classes("quiet")

            keep_looking(visitor, LOOK_S, look_again, place)


def _know(platform: Platform, model: ModelStanding, decided: list[DecisionOut], away: str | None) -> Known:
    if away:
        return Known(model, decided, [], away)
    try:
        versions = list_versions(platform, model.model, NEWEST)
        return Known(model, decided, [(version, ask_gate(platform, model.model, version.version)) for version in versions], None)
    except UserError as error:
        return Known(model, decided, [], str(error))


async def _show(visitor: Visitor, known: Known) -> None:
    model = known.model
    with ui.element("section").classes("panel"):
        with ui.row().classes("items-center w-full q-pb-sm"):
            ui.label(model.model).classes("text-h6")
            ui.label(model.words).classes("q-ml-md")
            if model.pending:
                ui.spinner(size="sm")
                ui.label("deployment and aliases follow").classes("quiet")
            ui.space()
            if (model.previous is not None or (model.pending and model.champion is not None)) and await visitor.may(ROLL_BACK):
                _roll_back_button(visitor, model)
        if model.lost:
            ui.label(f"The champion does not serve: {model.lost}").classes("text-negative")
        if model.trouble:
            ui.label(f"Waits, and is tried again: {model.trouble}").classes("text-negative")
        if known.away:
            ui.label(f"The versions cannot be shown now: {known.away}").classes("text-negative")
        for version, gate in known.versions:
            with ui.row().classes("w-full items-start no-wrap gap-5 q-py-sm").style("border-top: 1px solid #eceeec"):
                with ui.column().classes("gap-1").style("width: 110px"):
                    ui.label(f"Version {version.version}").classes("text-weight-medium")
                    ui.label(version.standing).classes("quiet")
                with ui.column().classes("gap-1").style("width: 170px"):
                    for score in version.scores:
                        ui.label(f"{score.metric} {score.value:.3f} ({score.protocol})").classes("quiet")
                with ui.column().classes("gap-1 col-grow"):
                    ui.label("The gate would let it pass" if gate.passed else "The gate would refuse it").classes(
                        "text-positive" if gate.passed else "text-negative"
                    )
                    for check in gate.checks:
                        ui.label(("✓ " if check.passed else "✗ ") + check.words).classes("quiet")
                if version.standing != "champion" and await visitor.may(PROMOTE):
                    _promote_button(visitor, model, version.version)
        ui.label("Audit").classes("text-weight-medium q-mt-md")
        for decision in known.decided:
            _show_decision(decision)
        if not known.decided:
            ui.label("Nothing was decided yet.").classes("quiet")


def _show_decision(decision: DecisionOut) -> None:
    with ui.row().classes("items-center gap-3 no-wrap"):
        state_badge(decision.state)
        before, after = (f"version {version}" if version else "no version" for version in (decision.from_version, decision.to_version))
        ui.label(f"{decision.kind}: {before} to {after}")
        ui.label(f"{decision.asked_by}, {decision.decided_at:%Y-%m-%d %H:%M} UTC").classes("quiet")
    for reason in decision.reasons:
        if reason.startswith("failed: "):
            ui.label(reason.removeprefix("failed: ")).classes("text-negative q-ml-lg")


def _promote_button(visitor: Visitor, model: ModelStanding, version: int) -> None:
    async def promote() -> None:
        made = await visitor.act(
            PROMOTE, lambda who: decide_promotion(visitor.platform, model.model, version, model.champion or 0, who.words)
        )  # fmt: skip
        if made:
            ui.notify(f"Version {version} of {model.model} becomes the champion.", type="positive")

    replaced = "another package of this number" if version == model.champion else f"version {model.champion}"
    instead = f"in place of {replaced}" if model.champion else "as its first"
    question = f"Make version {version} the champion of {model.model}, {instead}? Jobs asked for from then on are mapped with it."
    _asking_button("Promote", question, promote).props(f'aria-label="Promote version {version} of {model.model}"')


def _roll_back_button(visitor: Visitor, model: ModelStanding) -> None:
    async def roll_back() -> None:
        made = await visitor.act(ROLL_BACK, lambda who: decide_rollback(visitor.platform, model.model, model.champion or 0, who.words))
        if made and made.to_version is not None:
            ui.notify(f"Version {made.to_version} of {model.model} becomes the champion again.", type="positive")
        elif made:
            ui.notify(f"{model.model} has no champion, as before.", type="positive")

    if model.previous is not None:
        question = f"Make version {model.previous} the champion of {model.model} again, in place of version {model.champion}?"
    else:
        question = f"Withdraw version {model.champion} of {model.model}, which does not serve yet? It has no champion then, as before."
    _asking_button("Roll back", question, roll_back).props(f'outline aria-label="Roll back {model.model}"')


def _asking_button(name: str, question: str, work: Callable[[], Awaitable[None]]) -> ui.button:
    """Show a button that asks before it does its work."""

    async def ask() -> None:
        with ui.dialog() as dialog, ui.card():
            ui.label(question)
            with ui.row().classes("w-full justify-end"):
                ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat no-caps")
                ui.button(name, on_click=lambda: dialog.submit(True)).props("unelevated no-caps")
        if await dialog:
            await work()

    return ui.button(name, on_click=ask).props("unelevated no-caps dense").classes("q-px-md")
