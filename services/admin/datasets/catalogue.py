"""Finding the datasets: finished folders of sites and tiles inside the folders of the service."""

import json
from collections.abc import Iterator

from eartheye.contracts import Manifest, Sites, Tiles
from eartheye.errors import NotThere, StoreUnavailable, UserError
from eartheye.settings import Settings
from eartheye.store import Folder
from eartheye.telemetry import get_logger
from eartheye.wording import counted
from services.admin.datasets.schemas import DatasetOut
from services.inference.roots import inside_roots

log = get_logger(__name__)


def list_datasets(settings: Settings) -> list[DatasetOut]:
    """Return the finished folders of sites and of tiles inside the allowed roots, by name.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    found = {}
    for root in settings.allowed_roots:
        for folder in _folders(Folder(root)):
            try:
                found[folder.root] = describe(folder)
            except StoreUnavailable:
                raise
            except UserError as error:  # one that was written by a newer release does not hide the others
                log.warning("a dataset cannot be read", folder=folder.root, reason=str(error))
    return [found[folder] for folder in sorted(found)]


def find_dataset(uri: str, settings: Settings) -> Folder:
    """Return a folder of sites or tiles that a request names.

    Raises:
        OutsideRoots: it lies outside the folders of the service.
        NotThere: it holds neither.
    """
    folder = Folder(inside_roots(uri, settings.allowed_roots))
    if kind_of(folder) not in ("sites", "tiles"):
        raise NotThere(f"{uri} is no finished folder of sites or tiles: look at the list of datasets")
    return folder


def kind_of(folder: Folder) -> str | None:
    """Return the kind that a folder's manifest states, None without a manifest."""
    data = folder.read(Manifest.name)
    try:
        return None if data is None else str(json.loads(data)["kind"]).partition("/")[0]
    except (ValueError, TypeError, KeyError):
        return None


def describe(folder: Folder) -> DatasetOut:
    """Say what a folder holds.

    Raises:
        NewerManifest: a newer release wrote it.
        UnreadableManifest: it is not whole.
    """
    if kind_of(folder) == "sites":
        sites = Sites.read(folder)
        return DatasetOut(folder=folder.root, kind="sites", count=sites.count, rejected=0, words=counted(sites.strata, "stratum", "strata"))
    tiles = Tiles.read(folder)
    sensors = ", ".join(sensor.name for sensor in tiles.sensors)
    labels = ", ".join(labels.name for labels in tiles.label_sets)
    words = f"sensors: {sensors}; {tiles.chip_px} px" + (f"; labels: {labels}" if labels else "")
    return DatasetOut(folder=folder.root, kind="tiles", count=tiles.count, rejected=tiles.rejected, words=words)


def _folders(root: Folder) -> Iterator[Folder]:
    for name in root.list():
        folder, _, file = name.rpartition("/")
        if file == Manifest.name:
            candidate = root / folder if folder else root
            if kind_of(candidate) in ("sites", "tiles"):
                yield candidate
