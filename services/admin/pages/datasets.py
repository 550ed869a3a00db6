"""The datasets: their outlines on a map, their tiles as pictures."""

import json
from asyncio import to_thread
from urllib.parse import urlencode

from fastapi import FastAPI
from nicegui import ui

from eartheye.store import Folder
from services.admin.datasets.catalogue import find_dataset, list_datasets
from services.admin.datasets.features import list_tiles
from services.admin.datasets.pictures import open_tiles
from services.admin.datasets.schemas import DatasetOut, TileOut
from services.admin.pages.frame import frame, keep_looking, panel
from services.admin.pages.maps import empty_map
from services.admin.pages.visitor import Visitor

LOOK_S = 5.0
SHOW = "GET /v1/datasets/geojson"
PICTURES = 24
"""Tiles shown at once."""
SHAPES = 3000
"""Sites or tiles drawn on the map."""
DRAW = """
const map = getElement(%(board)s).map;
fetch(%(address)s).then(answer => answer.json()).then(data => {
  const shapes = L.geoJSON(data, {
    style: {color: '#21505c', weight: 1, fillOpacity: 0.35},
    pointToLayer: (feature, place) => L.circleMarker(place, {radius: 4}),
    onEachFeature: (feature, layer) => layer.bindTooltip(() => {
      const words = document.createElement('div');
      words.innerText = Object.entries(feature.properties).filter(([, value]) => value !== null).map(pair => pair.join(': ')).join('\\n');
      return words;
    }),
  }).addTo(map);
  if (data.features.length) map.fitBounds(shapes.getBounds(), {maxZoom: 15});
});
"""
"""The browser asks the API for the shapes itself; they would be large on the page's own connection."""


def add_datasets_page(app: FastAPI) -> None:
    """Add the page at `/datasets`."""

    @ui.page("/datasets")
    async def datasets_page() -> None:
        async with frame(app, "Datasets") as visitor:
            if visitor is None:
                return
            with ui.column().classes("w-full gap-5") as content:
                folders, place = ui.column().classes("w-full"), ui.column().classes("w-full gap-5")
            looked = False
            with folders:
                ui.label("Looking through the folders of the service ...").classes("quiet")

            async def show(dataset: DatasetOut) -> None:
                if await visitor.act(SHOW, lambda _who: find_dataset(dataset.folder, visitor.platform.settings)):
                    await _show(visitor, dataset, place)

            async def look_once() -> None:
                """List the folders once: to look for them means to go through all that lies in the roots."""
                nonlocal looked
                if looked:
                    return
                datasets = await to_thread(list_datasets, visitor.platform.settings)
                looked = True
                folders.clear()
                with folders, panel("Folders"):
                    for each in datasets:
                        with ui.row().classes("items-center w-full no-wrap gap-4"):
                            button = ui.button("Show", on_click=lambda each=each: show(each))
                            button.props("outline dense no-caps").classes("q-px-md")
                            button.props["aria-label"] = f"Show {each.folder}"
                            ui.label(f"{each.count:,} {each.kind}").style("flex: none; width: 120px").classes("text-weight-medium")
                            ui.label(each.folder)
                            ui.label(each.words).classes("quiet")
                    if not datasets:
                        roots = ", ".join(visitor.platform.settings.allowed_roots) or "no folder: set EARTHEYE_ALLOWED_ROOTS"
                        ui.label(f"There is no finished folder of sites or tiles in {roots}.").classes("quiet")

            keep_looking(visitor, LOOK_S, look_once, content)


async def _show(visitor: Visitor, dataset: DatasetOut, place: ui.column) -> None:
    place.clear()
    with place:
        with panel(f"{dataset.kind.capitalize()} on the map"):
            board = empty_map()
        if dataset.kind == "tiles":
            with panel("Tiles"):
                await _gallery(visitor, dataset)
    await board.initialized()
    address = f"/v1/datasets/geojson?{urlencode({'folder': dataset.folder, 'limit': SHAPES})}"
    ui.run_javascript(DRAW % {"board": board.id, "address": json.dumps(address)})


async def _gallery(visitor: Visitor, dataset: DatasetOut) -> None:
    """Show tiles a page at a time."""
    row = ui.row().classes("w-full gap-3")
    pages = [-1]

    async def turn(after: int) -> None:
        listed = await visitor.act(
            "GET /v1/datasets/tiles", lambda _who: list_tiles(open_tiles(Folder(dataset.folder)), PICTURES, after)
        )  # fmt: skip
        if not listed:
            return
        pages.append(listed[-1].tile)
        row.clear()
        with row:
            for tile in listed:
                _picture(dataset, tile)

    async def back() -> None:
        if len(pages) > 2:
            del pages[-2:]
            await turn(pages[-1])

    async def forth() -> None:
        await turn(pages[-1])

    with ui.row():
        ui.button("Before", on_click=back).props("flat dense no-caps")
        ui.button("Next", on_click=forth).props("flat dense no-caps")
    await turn(-1)


def _picture(dataset: DatasetOut, tile: TileOut) -> None:
    with ui.column().classes("gap-0").style("width: 130px"):
        if tile.rejected is None:
            address = f"/v1/datasets/tiles/{tile.tile}/picture?{urlencode({'folder': dataset.folder})}"
            ui.image(address).style("width: 130px; height: 130px; background: #e6eae6").props("no-spinner no-transition")
        else:
            ui.label(f"not cut: {tile.rejected}").classes("quiet").style("width: 130px; height: 130px; background: #f0e6e4; padding: 8px")
        ui.label(f"{tile.tile} · {tile.sensor or tile.source}").classes("quiet ellipsis")
        ui.label(f"{tile.acquired or ''} {tile.label or ''}").classes("quiet ellipsis")
