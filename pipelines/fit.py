"""Whether a chain and the data fit together."""

from components.finetuner.config import SamplesConfig
from components.sampler.cells import required
from components.tiler.entries import check_entries, check_labels
from eartheye.blocks import area_of
from eartheye.contracts import Catalogue
from eartheye.contracts.catalogue import ImagesEntry, MaskLabels, SceneEntry, VectorLabels
from eartheye.errors import InvalidConfig
from eartheye.raster import open_scene
from eartheye.store import Folder, object_at
from pipelines.config import ChainConfig


def check_fit(chain: ChainConfig, catalogue: Catalogue, data: str) -> None:
    """Refuse what a later step would stop at, as far as it can be told before the first one and without reading imagery.

    Args:
        chain: configuration of the steps.
        catalogue: of the data folder.
        data: path or URI of the data folder.

    Raises:
        InvalidCatalogue: the catalogue names what is not there, contradicts itself, or lacks what the samplings need.
        InvalidConfig: which field of the chain, and what it can be.
        UserError: why a scene that is to be mapped cannot be opened.
    """
    folder = Folder(data)
    check_entries(folder, catalogue)
    check_labels(folder, catalogue)
    if chain.samplings:
        required(catalogue)
    check_samples(chain, catalogue)
    check_maps(chain, catalogue, data)


def check_samples(chain: ChainConfig, catalogue: Catalogue) -> None:
    """Refuse samples of labels or sensors that the catalogue does not name, and those larger than the tiles.

    Args:
        chain: configuration of the steps.
        catalogue: of the data folder.

    Raises:
        InvalidConfig: which field, and what it can be.
    """
    names = sorted(labels.name for labels in catalogue.labels)
    heads = {f"heads.{number}.finetuner": head.finetuner.samples for number, head in enumerate(chain.heads)}
    for field, samples in {"evaluator": chain.evaluator.samples, **heads}.items():
        if samples.label_set is not None and samples.label_set not in names:
            raise InvalidConfig(f"{field}.samples.label_set: the catalogue has no '{samples.label_set}': choose one of {names}")
        imagery = labelled(catalogue, samples)
        if not imagery and samples.label_set is None:
            raise InvalidConfig(
                f"{field}.samples.label_set is not set, and no images of the catalogue are labelled by their folder: label some, or choose "
                f"one of its label sets, {names}"
            )
        if not imagery:
            raise InvalidConfig(f"{field}.samples.label_set: the catalogue has no imagery for '{samples.label_set}': add some")
        sensors = sorted({entry.sensor for entry in imagery})
        if samples.sensor is not None and samples.sensor not in sensors:
            raise InvalidConfig(f"{field}.samples.sensor: no imagery of '{samples.sensor}' has these labels: choose one of {sensors}")
        chip_px = max(entry.chip_px or chain.tiler.chip_px for entry in imagery if samples.sensor in (None, entry.sensor))
        if samples.input_px > chip_px:
            raise InvalidConfig(
                f"{field}.samples.input_px is {samples.input_px}, and its tiles are {chip_px} px wide: lower it, or raise their chip_px"
            )


def labelled(catalogue: Catalogue, samples: SamplesConfig) -> list[SceneEntry | ImagesEntry]:
    """Return the imagery that has the samples' labels, as far as the catalogue tells.

    Args:
        catalogue: it has the label set.
        samples: that name the label set.
    """
    if samples.label_set is None:
        return [entry for entry in catalogue.images if entry.labelled_by_folder]
    labels = next(labels for labels in catalogue.labels if labels.name == samples.label_set)
    if isinstance(labels, MaskLabels):
        return [entry for entry in catalogue.images if entry.path == labels.images]
    of = (labels.scene,) if isinstance(labels, VectorLabels) else labels.scenes
    return [entry for entry in catalogue.scenes if of is None or entry.path in of]


def check_maps(chain: ChainConfig, catalogue: Catalogue, data: str) -> None:
    """Refuse a map of a scene that is not there or cannot be opened, before the model that makes it is trained.

    Args:
        chain: configuration of the steps.
        catalogue: of the data folder.
        data: path or URI of the data folder.

    Raises:
        InvalidConfig: which map, and what it is to name.
        UnreadableRaster: a scene is no raster.
        MissingCrs: neither file, catalogue nor map says where on Earth it lies.
        EmptyArea: the area lies outside of it.
        WrongBands: it has more or fewer bands than it was given names for.
    """
    for wanted in chain.maps:
        folder, name = object_at(f"{data.rstrip('/')}/{wanted.scene}")
        uri, given = f"{folder.root}/{name}", wanted.completed(catalogue)
        if not folder.exists(name):
            raise InvalidConfig(f"map '{wanted.title}': there is no {uri}: name a raster of the data folder as its scene")
        with open_scene(uri, given.bands, given.nodata, given.crs) as scene:
            area_of(scene, given.area)
            _ = scene.footprint  # on Earth, or it is refused
