"""From a model package in a folder to the network it describes."""

import posixpath
from dataclasses import fields

from eartheye.contracts import Architecture, BackboneReference, ImageSpec, ModelPackage, Sensor
from eartheye.errors import NotFinished, UnreadableManifest, WrongBackbone, WrongBands, WrongScale
from eartheye.store import Folder
from models.heads.linear import LinearHead
from models.heads.upernet import UperNet
from models.tasks import SceneClassifier, Segmenter
from models.vit import VisionTransformer, VitSpec
from models.weights import load_weights

SCALE_TOLERANCE = 0.01
"""A distance read off a file is seldom round."""


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

    Its channels are the network's bands, or one band that the catalogue lets stand for all of them, as (`pan`, `pan`, `pan`).

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
    if sensor.gsd_m is None or image.gsd_range_m is None:
        return
    finest, coarsest = image.gsd_range_m
    if not finest * (1 - SCALE_TOLERANCE) <= sensor.gsd_m <= coarsest * (1 + SCALE_TOLERANCE):
        raise WrongScale(
            f"tiles of sensor '{sensor.name}' have {sensor.gsd_m:g} m a pixel, the network was trained for {finest:g} to {coarsest:g} m: "
            "resample the imagery, or pretrain on this scale too"
        )


def refer(folder: Folder, package: Folder) -> str:
    """Return how a package names the folder of another: a relative path where both lie in one store, so that they can move together."""
    (store, path), (own_store, own_path) = split_root(folder.root), split_root(package.root)
    return posixpath.relpath(path, own_path) if store == own_store else folder.root


def resolve(uri: str, package: Folder) -> str:
    """Return the root that a package's reference means."""
    if "://" in uri or uri.startswith("/"):
        return uri
    store, path = split_root(package.root)
    return store + posixpath.normpath(posixpath.join(path, uri))


def split_root(root: str) -> tuple[str, str]:
    """`s3://bucket/a/b` to `s3://bucket` and `/a/b`; a directory's path to nothing and itself."""
    scheme, separator, rest = root.partition("://")
    if not separator:
        return "", root
    bucket, _, path = rest.partition("/")
    return f"{scheme}://{bucket}", f"/{path}"
