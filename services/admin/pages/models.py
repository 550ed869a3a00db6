"""The models: versions with the gate's verdict, promotion and rollback, the audit."""

from asyncio import to_thread
from dataclasses import dataclass

from fastapi import FastAPI
from nicegui import ui

from eartheye.errors import UserError
from services.admin.models.schemas import DecisionOut, GateOut, ModelStanding, VersionOut
from services.admin.models.service import ask_gate, decide_promotion, decide_rollback, list_decisions, list_versions
from services.admin.pages.frame import frame, keep_looking, state_badge
from services.admin.pages.question import Question
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
            question, seen, shown = Question(), list[object](), dict[str, Known]()
            with ui.column().classes("w-full gap-5") as content:
                note = ui.label("Asking the registry and the gate ...").classes("quiet")
                place, sections = ui.column().classes("w-full gap-5"), dict[str, ui.element]()

            async def look_again() -> None:
                """Show anew the models that have changed, and leave alone what somebody may be about to click."""
                models, away = await to_thread(visitor.models)
                question.withdraw_where_outdated(models)
                decided = {model.model: await to_thread(list_decisions, visitor.platform, model.model, AUDIT) for model in models}
                if seen == [models, away, decided] and not any(each.away for each in shown.values()):
                    return
                known = [await to_thread(_know, visitor.platform, model, decided[model.model], away) for model in models]
                for name in sections.keys() - decided.keys():
                    sections.pop(name).delete()
                    shown.pop(name, None)
                for index, each in enumerate(known):
                    name = each.model.model
                    if shown.get(name) == each:
                        continue
                    if name not in sections:
                        with place:
                            sections[name] = ui.element("div").classes("w-full")
                        sections[name].move(target_index=index)
                    shown.pop(name, None)  # until it is drawn whole
                    sections[name].clear()
                    with sections[name]:
                        await _show(visitor, question, each)
                    shown[name] = each
                if not known:
                    note.set_text(away or "No model is registered yet: `eartheye register` or a pipeline does that.")
                    note.classes(replace="text-negative" if away else "quiet")
                note.set_visibility(not known)
                seen[:] = [models, away, decided]

            keep_looking(visitor, LOOK_S, look_again, content)


def _know(platform: Platform, model: ModelStanding, decided: list[DecisionOut], away: str | None) -> Known:
    if away:
        return Known(model, decided, [], away)
    try:
        versions = list_versions(platform, model.model, NEWEST)
        return Known(model, decided, [(version, ask_gate(platform, model.model, version.version)) for version in versions], None)
    except UserError as error:
        return Known(model, decided, [], str(error))


async def _show(visitor: Visitor, question: Question, known: Known) -> None:
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
                _roll_back_button(visitor, question, model)
        if model.lost:
            ui.label(f"The champion does not serve: {model.lost}").classes("text-negative")
        if model.trouble:
            ui.label(f"Waits, and is tried again: {model.trouble}").classes("text-negative")
        if known.away:
            ui.label(f"The versions cannot be shown now: {known.away}").classes("text-negative")
        for version, gate in known.versions:
            with ui.row().classes("w-full items-start no-wrap gap-5 q-py-sm").style("border-top: 1px solid #eceeec"):
                with ui.column().classes("gap-1").style("flex: none; width: 110px"):
                    ui.label(f"Version {version.version}").classes("text-weight-medium")
                    ui.label(version.standing).classes("quiet")
                with ui.column().classes("gap-1").style("flex: none; width: 170px"):
                    for score in version.scores:
                        ui.label(f"{score.metric} {score.value:.3f} ({score.protocol})").classes("quiet")
                with ui.column().classes("gap-1 col-grow"):
                    ui.label("The gate would let it pass" if gate.passed else "The gate would refuse it").classes(
                        "text-positive" if gate.passed else "text-negative"
                    )
                    for check in gate.checks:
                        ui.label(("✓ " if check.passed else "✗ ") + check.words).classes("quiet")
                if version.standing != "champion" and await visitor.may(PROMOTE):
                    _promote_button(visitor, question, model, version.version)
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


def _promote_button(visitor: Visitor, question: Question, model: ModelStanding, version: int) -> None:
    async def promote() -> None:
        made = await visitor.act(
            PROMOTE, lambda who: decide_promotion(visitor.platform, model.model, version, model.champion or 0, who.words)
        )  # fmt: skip
        if made:
            ui.notify(f"Version {version} of {model.model} becomes the champion.", type="positive")

    replaced = "another package of this number" if version == model.champion else f"version {model.champion}"
    instead = f"in place of {replaced}" if model.champion else "as its first"
    words = f"Make version {version} the champion of {model.model}, {instead}? Jobs asked for from then on are mapped with it."
    button = ui.button("Promote", on_click=lambda: question.ask(model, words, "Promote", promote))
    button.props("unelevated no-caps dense").classes("q-px-md").props["aria-label"] = f"Promote version {version} of {model.model}"


def _roll_back_button(visitor: Visitor, question: Question, model: ModelStanding) -> None:
    async def roll_back() -> None:
        made = await visitor.act(ROLL_BACK, lambda who: decide_rollback(visitor.platform, model.model, model.champion or 0, who.words))
        if made and made.to_version is not None:
            ui.notify(f"Version {made.to_version} of {model.model} becomes the champion again.", type="positive")
        elif made:
            ui.notify(f"{model.model} has no champion, as before.", type="positive")

    if model.previous is not None:
        words = f"Make version {model.previous} the champion of {model.model} again, in place of version {model.champion}?"
    else:
        words = f"Withdraw version {model.champion} of {model.model}, which does not serve yet? It has no champion then, as before."
    button = ui.button("Roll back", on_click=lambda: question.ask(model, words, "Roll back", roll_back))
    button.props("unelevated outline no-caps dense").classes("q-px-md").props["aria-label"] = f"Roll back {model.model}"
