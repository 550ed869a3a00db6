"""What can be told of a catalogue's imagery and labels before a file is opened."""

from collections.abc import Iterator

from eartheye.contracts import Catalogue
from eartheye.contracts.catalogue import Imagery, ImagesEntry, MaskLabels, SceneEntry, VectorLabels
from eartheye.errors import InvalidCatalogue
from eartheye.store import Folder


def check_entries(data: Folder, catalogue: Catalogue) -> None:
    """Refuse scenes that are not there, and entries that contradict or repeat each other.

    Raises:
        InvalidCatalogue: which, and what to change.
    """
    for scene in catalogue.scenes:
        if not data.exists(scene.path):
            raise InvalidCatalogue(f"the scene {scene.path} is not in {data.root}: correct its path in the catalogue")
    first: dict[str, Imagery] = {}
    for entry in _imagery(catalogue):
        known = first.setdefault(entry.sensor, entry)
        if (known.bands, known.channels) != (entry.bands, entry.channels):
            raise InvalidCatalogue(f"sensor '{entry.sensor}' has two sets of bands or channels in the catalogue: give each its own name")
    listed = [(entry.path, entry.sensor) for entry in _imagery(catalogue)]
    if again := sorted({path for path, sensor in listed if listed.count((path, sensor)) > 1}):
        raise InvalidCatalogue(f"{again[0]} stands twice in the catalogue and would count as two acquisitions: list it once")
    names = [labels.name for labels in catalogue.labels]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InvalidCatalogue(f"labels {sorted(twice)} stand twice in the catalogue: give each its own name")


def check_labels(data: Folder, catalogue: Catalogue) -> None:
    """Refuse labels of scenes and images that the catalogue does not have, before anything is cut.

    Raises:
        InvalidCatalogue: a label's file, scene or image folder is not there.
    """
    scenes = {entry.path for entry in catalogue.scenes}
    images = {entry.path for entry in catalogue.images}
    for labels in catalogue.labels:
        if isinstance(labels, MaskLabels):
            missing = {labels.images} - images
        else:
            if not data.exists(labels.path):
                raise InvalidCatalogue(f"the labels {labels.path} are not in {data.root}: correct their path in the catalogue")
            of = {labels.scene} if isinstance(labels, VectorLabels) else set(labels.scenes or ())
            missing = of - scenes
        if missing:
            raise InvalidCatalogue(f"labels '{labels.name}' are of {sorted(missing)}, which the catalogue does not have: correct the path")


def _imagery(catalogue: Catalogue) -> Iterator[SceneEntry | ImagesEntry]:
    yield from catalogue.scenes
    yield from catalogue.images
