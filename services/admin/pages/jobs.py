"""The jobs: the form that asks for one, and the list."""

import secrets
from asyncio import to_thread

from fastapi import FastAPI
from nicegui import ui
from pydantic import ValidationError

from eartheye.contracts.messages import JobRequest
from eartheye.errors import InvalidConfig
from eartheye.wording import counted
from services.admin.jobs.queries import list_jobs
from services.admin.jobs.schemas import JobOut
from services.admin.jobs.service import submit
from services.admin.pages.frame import frame, keep_looking, panel, state_badge
from services.admin.pages.visitor import Visitor
from services.registry.standing import standings

LOOK_S = 1.5
SHOWN = 30
COLUMNS = "220fr 90fr 140fr 120fr 140fr 130fr 170fr"
"""Widths in px in a window of 1280; no reason, however long, takes room from the others."""
SUBMIT = "POST /v1/jobs"


def add_jobs_page(app: FastAPI) -> None:
    """Add the page at `/jobs`."""

    @ui.page("/jobs")
    async def jobs_page() -> None:
        async with frame(app, "Jobs") as visitor:
            if visitor is None:
                return
            if await visitor.may(SUBMIT):
                with panel("Map a scene"):
                    await _form(visitor)
            with panel("Jobs"):
                place, shown = ui.column().classes("w-full gap-2"), list[JobOut]()

            async def look_again() -> None:
                jobs = list((await to_thread(list_jobs, visitor.platform.engine, SHOWN)).jobs)
                if jobs == shown and jobs:
                    return
                shown[:] = jobs
                place.clear()
                with place:
                    for job in jobs:
                        _show(job)
                    if not jobs:
                        ui.label("No job was asked for yet.").classes("quiet")

            keep_looking(visitor, LOOK_S, look_again, place)


async def _form(visitor: Visitor) -> None:
    roots = visitor.platform.settings.allowed_roots
    models = [stands.model for stands in await to_thread(standings, visitor.platform.engine) if stands.in_force[0]]
    if not models:
        ui.label("No model serves yet: promote one first.").classes("quiet q-mb-md")
    name = f"map-{secrets.token_hex(3)}"
    with ui.grid(columns=2).classes("w-full gap-3"):
        job = ui.input("Name of the job", value=name).props("outlined dense")
        model = ui.select(models, label="Model", value=models[0] if models else None).props("outlined dense")
        scene = ui.input("Scene: path or s3:// address", placeholder=roots[0] if roots else "").props("outlined dense")
        output = ui.input("Folder of the map", value=f"{roots[0]}/maps/{name}" if roots else "").props("outlined dense")
        area = ui.input("Area: west, south, east, north, in the scene's units", placeholder="the whole scene").props("outlined dense")
        bands = ui.input("Bands, where the file does not name them", placeholder="red, green, blue").props("outlined dense")

    if roots:
        job.on_value_change(lambda changed: output.set_value(f"{roots[0]}/maps/{changed.value}"))

    def request() -> JobRequest:
        if not model.value:
            raise InvalidConfig("choose a model that serves; where there is none, promote one first")
        fields = {
            "job": job.value,
            "model": model.value,
            "scene": scene.value.strip(),
            "output": output.value.strip(),
            "area": _listed(area.value),
            "bands": _listed(bands.value),
        }
        try:
            return JobRequest.model_validate(fields)
        except ValidationError as error:
            raise InvalidConfig("; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())) from None

    async def ask() -> None:
        asked = await visitor.act(SUBMIT, lambda _who: submit(visitor.platform, request()))
        if asked:
            ui.navigate.to(f"/jobs/{asked.job}")

    with ui.row().classes("items-center q-mt-md"):
        ui.button("Ask for the map", on_click=ask).props("unelevated no-caps")
        ui.label(f"Scenes and maps lie in {', '.join(roots) or 'no folder: set EARTHEYE_ALLOWED_ROOTS'}.").classes("quiet")


def _listed(text: str) -> list[str] | None:
    return [each.strip() for each in text.split(",")] if text.strip() else None


def _show(job: JobOut) -> None:
    with ui.grid(columns=COLUMNS).classes("items-center w-full gap-4"):
        ui.link(job.job, f"/jobs/{job.job}")
        with ui.element("div"):
            state_badge(job.state)
        share = job.blocks.ended / job.blocks.total if job.blocks.total else 0.0
        ui.linear_progress(share, show_value=False, size="8px").props("rounded")
        ui.label(f"{job.blocks.ended:,} of {counted(job.blocks.total, 'block')}").classes("quiet")
        ui.label(f"{job.request.model} {job.model_version or ''}").classes("quiet")
        ui.label(f"{job.asked_at:%Y-%m-%d %H:%M}").classes("quiet")
        ui.label(job.reason or "").classes("quiet ellipsis")
