"""The overview: do the servers answer, what is there, what happened last."""

from asyncio import to_thread

from fastapi import FastAPI
from nicegui import ui

from services.admin.jobs.queries import list_jobs
from services.admin.models.schemas import ModelOut
from services.admin.pages.frame import frame, keep_looking, panel, state_badge
from services.admin.pages.visitor import Visitor
from services.registry.standing import decisions

LOOK_S = 5.0
LAST = 6
"""Jobs and decisions shown."""


def add_overview_page(app: FastAPI) -> None:
    """Add the page at `/`."""

    @ui.page("/")
    async def overview() -> None:
        async with frame(app, "Overview") as visitor:
            if visitor is None:
                return
            with ui.column().classes("w-full gap-5") as content:
                with panel("Servers"):
                    servers = ui.column().classes("w-full gap-2")
                with ui.row().classes("w-full no-wrap gap-5 items-stretch"):
                    with panel("Models"):
                        models = ui.column().classes("w-full gap-2")
                    with panel("Last jobs"):
                        jobs = ui.column().classes("w-full gap-2")
                with panel("Last decisions"):
                    decided = ui.column().classes("w-full gap-2")

            async def look_again() -> None:
                await _show_servers(visitor, servers)
                await _show_models(visitor, models)
                await _show_jobs(visitor, jobs)
                await _show_decisions(visitor, decided)

            keep_looking(visitor, LOOK_S, look_again, content)


async def _show_servers(visitor: Visitor, place: ui.column) -> None:
    answers = await to_thread(visitor.probes.ask)
    place.clear()
    with place:
        for answer in answers:
            with ui.row().classes("items-center gap-3 no-wrap"):
                ui.icon("check_circle" if answer.ok else "error", color="positive" if answer.ok else "negative")
                ui.label(answer.server).classes("text-weight-medium").style("flex: none; width: 90px")
                ui.label(answer.words).classes("quiet")


async def _show_models(visitor: Visitor, place: ui.column) -> None:
    models, away = await to_thread(visitor.models)
    place.clear()
    with place:
        if away:
            ui.label(away).classes("text-negative")
        else:
            ui.label(str(len(models))).classes("figure")
        for model in models:
            registered = f", {model.versions} registered" if isinstance(model, ModelOut) else ""
            ui.label(f"{model.model}: {model.words}{registered}")
        if not models and not away:
            ui.label("No model is registered yet.").classes("quiet")


async def _show_jobs(visitor: Visitor, place: ui.column) -> None:
    jobs = (await to_thread(list_jobs, visitor.platform.engine, LAST)).jobs
    place.clear()
    with place:
        for job in jobs:
            with ui.row().classes("items-center gap-3 no-wrap"):
                state_badge(job.state)
                ui.link(job.job, f"/jobs/{job.job}")
                ui.label(f"{job.asked_at:%Y-%m-%d %H:%M}").classes("quiet text-no-wrap")
        if not jobs:
            ui.label("No job was asked for yet.").classes("quiet")


async def _show_decisions(visitor: Visitor, place: ui.column) -> None:
    last = await to_thread(decisions, visitor.platform.engine, limit=LAST)
    place.clear()
    with place:
        for decision in last:
            with ui.row().classes("items-center gap-3 no-wrap"):
                state_badge(decision.state)
                ui.label(f"{decision.kind} of {decision.model} to version {decision.to_version or 'none'}")
                ui.label(f"{decision.asked_by}, {decision.decided_at:%Y-%m-%d %H:%M}").classes("quiet")
        if not last:
            ui.label("Nothing was decided yet.").classes("quiet")
