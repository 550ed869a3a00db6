"""The command that makes a synthetic world."""

from cyclopts import App

from services.cli.inputs import LocalPath

world = App(name="world", help="Make a small synthetic world to try things on.")


@world.command
def create(directory: LocalPath, *, seed: int = 0, size_km: float = 8.0) -> None:
    """Make a world: land cover, terrain, regions, four quarterly mosaics, a later date, and the truth of all of it.

    The same seed and size make the same pixels. A few inputs are flawed on purpose: missing data, a cloud, a corrupt file.

    Example: `eartheye world create runs/world --seed 7 --size-km 4`

    Parameters
    ----------
    directory
        The folder to make.
    seed
        Another seed makes another world.
    size_km
        Side of the square it covers.
    """
    from services.world.create import create_world

    create_world(directory, seed=seed, size_km=size_km)
    print(f"a world of {size_km:g} km in {directory}; see its catalogue.yaml, or try: eartheye demo --data {directory}")
