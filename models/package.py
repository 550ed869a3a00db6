"""From a model package in a folder to the network it describes."""

from dataclasses import fields

from eartheye.contracts import Architecture, BackboneReference, ImageSpec, ModelPackage, Sensor
from eartheye.errors import NotFinished, UnreadableManifest, WrongBackbone, WrongBands
from eartheye.store import Folder
from models.heads.linear import LinearHead
from models.heads.upernet import UperNet
from models.references import resolve
from models.tasks import SceneClassifier, Segmenter
from models.vit import VisionTransformer, VitSpec
from models.weights import load_weights


def load_backbone(folder: Folder) -> VisionTransformer:
    """Return the backbone of a package, in evaluation mode.

    Args:
        folder: of a package with the task `backbone`.

    Raises:
        NotFinished: the package is still to be made.
        UnreadableManifest: the package is that of a task model, or of a network this release does not know.
        CorruptBulk: the weights are not those that the package names.
    """
    package = ModelPackage.read(folder)
    if package.task != "backbone":
        raise UnreadableManifest(f"{folder.root} holds a model for {package.task}: give the folder of a backbone")
    backbone = build_backbone(package.architecture)
    load_weights(backbone, folder.local(package.weights))
    return backbone.eval()


def load_task_model(folder: Folder) -> SceneClassifier | Segmenter:
    """Return a task model, its backbone included, in evaluation mode: normalised images in, probabilities out.

    Args:
        folder: of a package with a head.

    Raises:
        NotFinished: the package is still to be made.
        UnreadableManifest: the package is a backbone, or has a head this release does not know.
        WrongBackbone: the backbone is not there, or not the one that the head was trained on.
        CorruptBulk: weights are not those that a package names.
    """
    package = ModelPackage.read(folder)
    if package.backbone is None:
        raise UnreadableManifest(f"{folder.root} holds a backbone: give the folder of a task model")
    model = build_task_model(load_backbone(backbone_folder(package.backbone, folder)), package)
    load_weights(model.head, folder.local(package.weights))
    return model.eval()


def backbone_folder(reference: BackboneReference, model: Folder) -> Folder:
    """Return the folder of a task model's backbone.

    Raises:
        WrongBackbone: the backbone is not there, or not the one that the head was trained on.
    """
    folder = Folder(resolve(reference.uri, model))
    try:
        package = ModelPackage.read(folder)
    except NotFinished:
        raise WrongBackbone(f"{folder.root}, the backbone of {model.root}, is not there: bring it back, or train the head again") from None
    if package.digest != reference.digest:
        raise WrongBackbone(
            f"{folder.root} is not the backbone that {model.root} was trained on (digest {package.digest[:12]}, wanted "
            f"{reference.digest[:12]}): bring that one back, or train the head again"
        )
    return folder


def build_backbone(architecture: Architecture) -> VisionTransformer:
    """Return the network of an architecture, with weights of chance.

    Raises:
        UnreadableManifest: this release does not know the network.
    """
    known = {field.name for field in fields(VitSpec)}
    if unknown := architecture.backbone.keys() - known:
        raise UnreadableManifest(f"backbone '{architecture.name}' is described by {sorted(unknown)}, unknown to this release: upgrade")
    return VisionTransformer(VitSpec(**architecture.backbone), architecture.image_px)


def build_task_model(backbone: VisionTransformer, package: ModelPackage) -> SceneClassifier | Segmenter:
    """Return a backbone with a package's head on top, the head's weights being those of chance.

    Raises:
        UnreadableManifest: this release does not know the head.
    """
    match package.architecture.head:
        case {"kind": "linear"}:
            return SceneClassifier(backbone, LinearHead(backbone.spec.dim, len(package.classes)))
        case {"kind": "upernet", "width": int(width), "finest": int(finest)}:
            return Segmenter(backbone, UperNet(backbone.spec.dim, len(package.classes), width, finest))
        case head:
            raise UnreadableManifest(f"model '{package.title}' has a head {head}, unknown to this release: upgrade EarthEye")


def check_sensor(sensor: Sensor, image: ImageSpec) -> None:
    """Refuse a sensor whose tiles a network cannot take.

    Its channels are the network's bands, or one band that the catalogue lets stand for all of them, as (`pan`, `pan`, `pan`). Their data
    type may be another than that of training: tiles are normalised by what they themselves hold.

    Args:
        sensor: of the tiles.
        image: what the network was trained on.

    Raises:
        WrongBands: the channels are other ones.
        WrongScale: the ground sampling distance is outside the range of training; not asked where either is unknown.
    """
    one_for_all = len(set(sensor.channels)) == 1 and len(sensor.channels) == len(image.bands)
    if sensor.channels != image.bands and not one_for_all:
        raise WrongBands(
            f"tiles of sensor '{sensor.name}' have channels {list(sensor.channels)}, the network takes {list(image.bands)}: "
            "set `channels` of its imagery in the catalogue, or take other tiles"
        )
    image.check_scale(sensor.gsd_m, f"tiles of sensor '{sensor.name}'", "resample the imagery, or pretrain on this scale too")
