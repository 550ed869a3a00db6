"""Slippy maps without anything from another host: no tiles of streets beneath, only what the platform has."""

from nicegui import ui

HEIGHT = "460px"


def empty_map() -> ui.leaflet:
    """Show a map without any layer."""
    board = ui.leaflet(options={"attributionControl": False, "maxZoom": 22}).classes("w-full").style(f"height: {HEIGHT}")
    board.clear_layers()  # NiceGUI begins with tiles of another host
    return board


async def show_bounds(board: ui.leaflet, corners: list[list[float]]) -> None:
    """Move a map to an area, as soon as the browser has it.

    Args:
        board: the map.
        corners: [[south, west], [north, east]], degrees.
    """
    await board.initialized()
    board.run_map_method("fitBounds", corners)
