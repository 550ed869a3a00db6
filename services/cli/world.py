"""The command that makes a synthetic world."""

import shlex

from cyclopts import App

from services.cli.inputs import LocalPath

world = App(name="world", help="Make a small synthetic world to try things on.")


@world.command
def create(directory: LocalPath, *, seed: int = 0, size_km: float = 8.0) -> None:
    """Make a world: land cover, terrain, regions, four quarterly mosaics, a later date, and the truth of all of it.

    The same seed and size make the same pixels. A few inputs are flawed on purpose: missing data, a cloud, a corrupt file.

    Example: `eartheye world create runs/world --seed 7 --size-km 10`

    Parameters
    ----------
    directory
        The folder to make.
    seed
        Another seed makes another world.
    size_km
        Side of the square it covers.
    """
    from services.world.config import DEMO_FROM_KM
    from services.world.create import create_world
    from services.world.vectors import count_changes

    create_world(directory, seed=seed, size_km=size_km)
    changes = ", ".join(f"{count} {kind}" for kind, count in count_changes(directory / "changes.gpkg").items())
    demo = f"or try: eartheye demo --data {shlex.quote(str(directory))}"
    print(f"a world of {size_km:g} km in {directory}, with changes: {changes}")
    print(f"see its catalogue.yaml, {demo if size_km >= DEMO_FROM_KM else f'make one of {DEMO_FROM_KM:g} km or more for eartheye demo'}")
