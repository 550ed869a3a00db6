"""Whether a chain and the data fit together."""

from eartheye.contracts import Catalogue
from eartheye.errors import InvalidConfig
from eartheye.store import Folder
from pipelines.config import ChainConfig


def check_labels(chain: ChainConfig, catalogue: Catalogue) -> None:
    """Refuse labels that the catalogue does not name, before the steps that come before the first look at them.

    Args:
        chain: configuration of the steps.
        catalogue: of the data folder.

    Raises:
        InvalidConfig: which field, and what it can be.
    """
    names = sorted(labels.name for labels in catalogue.labels)
    labelled = any(images.labelled_by_folder for images in catalogue.images)
    wanted = {f"heads.{number}.finetuner": head.finetuner.samples for number, head in enumerate(chain.heads)}
    for field, samples in {"evaluator": chain.evaluator.samples, **wanted}.items():
        if samples.label_set is None and not labelled:
            raise InvalidConfig(
                f"{field}.samples.label_set is not set, and no images of the catalogue are labelled by their folder: label some, or choose "
                f"one of its label sets, {names}"
            )
        if samples.label_set is not None and samples.label_set not in names:
            raise InvalidConfig(f"{field}.samples.label_set: the catalogue has no '{samples.label_set}': choose one of {names}")


def check_scenes(chain: ChainConfig, data: str) -> None:
    """Refuse a map of a scene that is not there, before the model that makes it is trained.

    Args:
        chain: configuration of the steps.
        data: data folder.

    Raises:
        InvalidConfig: which map, and what it is to name.
    """
    for wanted in chain.maps:
        folder, _, name = f"{data.rstrip('/')}/{wanted.scene}".rpartition("/")
        if not Folder(folder).exists(name):
            raise InvalidConfig(f"map '{wanted.title}': there is no {folder}/{name}: name a raster of the data folder as its scene")
