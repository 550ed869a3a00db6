"""One job: its progress while it runs, its failures, its map when it is done."""

from asyncio import to_thread

from fastapi import FastAPI
from nicegui import ui

from eartheye.errors import Outage, UserError
from eartheye.wording import counted
from services.admin.jobs.queries import find_job, list_failures
from services.admin.jobs.results import find_result
from services.admin.jobs.schemas import JobOut, ResultOut
from services.admin.jobs.service import cancel, redrive
from services.admin.pages.frame import frame, keep_looking, panel, state_badge
from services.admin.pages.maps import empty_map, show_bounds
from services.admin.pages.visitor import Visitor
from services.inference.tables import ENDED

LOOK_S = 0.7
FAILURES = 20
CANCEL, REDRIVE = "POST /v1/jobs/{job}/cancel", "POST /v1/jobs/{job}/redrive"


def add_job_page(app: FastAPI) -> None:
    """Add the page at `/jobs/{job}`."""

    @ui.page("/jobs/{job}")
    async def job_page(job: str) -> None:
        async with frame(app, "Jobs") as visitor:
            if visitor is None:
                return
            place, shown = ui.column().classes("w-full gap-5"), list[JobOut]()
            made, settled = ui.column().classes("w-full gap-5"), False

            async def look_again() -> None:
                nonlocal settled
                try:
                    found = await to_thread(find_job, visitor.platform.engine, job)
                except UserError as error:
                    place.clear()
                    with place:
                        ui.label(str(error)).classes("text-negative")
                    return
                if shown != [found]:
                    shown[:], settled = [found], False
                    place.clear()
                    with place:
                        await _show(visitor, found)
                    made.clear()
                if found.state == "done" and not settled:
                    settled = await _show_result(visitor, job, made)

            keep_looking(visitor, LOOK_S, look_again, place)


async def _show(visitor: Visitor, job: JobOut) -> None:
    with panel("Job"):
        with ui.row().classes("items-center w-full gap-4"):
            ui.label(job.job).classes("text-h6")
            state_badge(job.state)
            ui.space()
            if job.state not in ENDED and await visitor.may(CANCEL):
                ui.button("Cancel", on_click=lambda: visitor.act(CANCEL, lambda _who: cancel(visitor.platform, job.job))).props(
                    "outline no-caps dense"
                ).classes("q-px-md")
            if job.state in ("failed", "rejected", "cancelled") and await visitor.may(REDRIVE):
                ui.button("Take up again", on_click=lambda: visitor.act(REDRIVE, lambda _who: redrive(visitor.platform, job.job))).props(
                    "outline no-caps dense"
                ).classes("q-px-md")
        share = job.blocks.ended / job.blocks.total if job.blocks.total else 0.0
        ui.linear_progress(share, show_value=False, size="12px").classes("q-my-sm").props("rounded")
        counts = (
            f"{job.blocks.ended:,} of {counted(job.blocks.total, 'block')}: {job.blocks.done:,} done, {job.blocks.empty:,} without data"
        )
        ui.label(f"{counts}, {job.blocks.failed:,} failed, {job.blocks.sent:,} with the workers")
        if job.reason:
            ui.label(job.reason).classes("text-negative")
        with ui.grid(columns="110px 1fr").classes("gap-1 q-mt-md"):
            version = f"version {job.model_version}" if job.model_version else "version not yet pinned"
            ended = f"{job.ended_at:%Y-%m-%d %H:%M:%S} UTC" if job.ended_at else ""
            for word, value in (
                ("Scene", job.request.scene),
                ("Model", f"{job.request.model}, {version}"),
                ("Map", job.request.output),
                ("Asked", f"{job.asked_at:%Y-%m-%d %H:%M:%S} UTC"),
                ("Ended", ended),
            ):
                ui.label(word).classes("quiet")
                ui.label(value)
    if job.blocks.failed:
        with panel("Blocks that failed"):
            for failure in await to_thread(list_failures, visitor.platform.engine, job.job, FAILURES):
                ui.label(f"{failure.block}, sent {counted(failure.sendings, 'time')}: {failure.reason}").classes("quiet")


async def _show_result(visitor: Visitor, job: str, place: ui.column) -> bool:
    """Show the map, or why it cannot be had; False where that may pass, to be called again."""
    try:
        result: ResultOut = await to_thread(find_result, visitor.platform, job)
    except UserError as error:
        place.clear()
        with place:
            ui.label(str(error)).classes("text-negative")
        return not isinstance(error, Outage)
    place.clear()
    with place, panel("Map"):
        board = empty_map()
        board.tile_layer(url_template=f"/v1/jobs/{job}/tiles/{{z}}/{{x}}/{{y}}", options={"maxZoom": 22, "bounds": _corners(result)})
        with ui.row().classes("gap-4 q-mt-sm"):
            for each in result.classes:
                with ui.row().classes("items-center gap-2"):
                    ui.element("div").classes("swatch").style(f"background: {each.colour}")
                    ui.label(each.name)
        with ui.row().classes("gap-4 q-mt-sm"):
            for name, size in result.files.items():
                ui.link(f"{name} ({size / 1e6:.2f} MB)", f"/v1/jobs/{job}/files/{name}")
        if result.attribution:
            ui.label("; ".join(result.attribution)).classes("quiet")
    await show_bounds(board, _corners(result))
    return True


def _corners(result: ResultOut) -> list[list[float]]:
    west, south, east, north = result.bounds
    return [[south, west], [north, east]]
