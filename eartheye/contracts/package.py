"""The model package: weights, and everything needed to use them right.

Its words follow the STAC Machine Learning Model extension where that has one for the same thing.
"""

import hashlib
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eartheye.contracts.manifest import Manifest
from eartheye.errors import WrongScale
from eartheye.store import Bulk

MODEL = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=(), allow_inf_nan=False)
SCALE_TOLERANCE = 0.01
"""A distance read off a file is seldom round."""
MAX_OVERLAP = 0.5
"""With more, three tiles would meet along an axis, and the weights of their flanks would no longer add up."""

Deviation = Annotated[float, Field(ge=0)]
Metres = Annotated[float, Field(gt=0)]
Overlap = Annotated[float, Field(ge=0, le=MAX_OVERLAP)]
Pixels = Annotated[int, Field(gt=0)]


class ImageSpec(BaseModel):
    """The images a model takes."""

    model_config = MODEL

    bands: tuple[str, ...] = Field(min_length=1)
    """Names of the bands, in the order of the channels; (`pan`, `pan`, `pan`) takes one band three times."""
    dtype: Literal["uint8", "uint16", "int16", "float32"]
    unit: str = "digital number"
    nodata: float | None = None
    mean: tuple[float, ...]
    """Mean of each band over the valid pixels of the training tiles, in the unit of the band."""
    std: tuple[Deviation, ...]
    gsd_m: Metres | None
    """Ground sampling distance of training; None where the training images have no known scale: then no scale is checked."""
    gsd_range_m: tuple[Metres, Metres] | None
    """Smallest and largest ground sampling distance that the model was trained for."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not len(self.bands) == len(self.mean) == len(self.std):
            raise ValueError(f"{len(self.mean)} means and {len(self.std)} deviations of {len(self.bands)} bands: give one each")
        if self.gsd_range_m is not None and self.gsd_range_m[0] > self.gsd_range_m[1]:
            raise ValueError(f"gsd_range_m {self.gsd_range_m}: the smallest comes first")
        return self

    def check_scale(self, gsd_m: float | None, images: str, change: str) -> None:
        """Refuse images of another scale than the model was trained for; not asked where either is unknown.

        Args:
            gsd_m: their ground sampling distance.
            images: what they are, for the message.
            change: what to do about it, for the message.

        Raises:
            WrongScale: it is outside the range of training.
        """
        if gsd_m is None or self.gsd_range_m is None:
            return
        finest, coarsest = self.gsd_range_m
        if not finest * (1 - SCALE_TOLERANCE) <= gsd_m <= coarsest * (1 + SCALE_TOLERANCE):
            raise WrongScale(f"a pixel of {images} is {gsd_m:.4g} m wide, the model was trained for {finest:g} to {coarsest:g} m: {change}")


class ClassSpec(BaseModel):
    """A class that a model tells apart."""

    model_config = MODEL

    value: int = Field(ge=1)
    """Its number in maps, where 0 is no data."""
    name: str
    colour: str = Field(pattern="^#[0-9a-fA-F]{6}$")
    """As `#rrggbb`."""


class Architecture(BaseModel):
    """Which network the weights belong to."""

    model_config = MODEL

    name: str
    """As `vit-small/14`."""
    backbone: dict[str, Any]
    """Fields of `models.vit.VitSpec`."""
    image_px: Pixels
    """Image size that the position embedding was made for."""
    head: dict[str, Any] | None = None
    """Kind and sizes of the head of a task model."""


class BackboneReference(BaseModel):
    """The frozen backbone a head was trained on."""

    model_config = MODEL

    uri: str
    digest: str
    """Digest of the backbone's `model.json`: another backbone is refused."""


class Provenance(BaseModel):
    """Where a model comes from."""

    model_config = MODEL

    trained_on: tuple[str, ...]
    """Digests of the data manifests."""
    code: str
    """Release of EarthEye."""
    licence: tuple[str, ...]
    """Licences of the training data."""
    attribution: tuple[str, ...]
    run_id: str | None = None
    """MLflow run of the training; no part of the model's digest, for the same training run again gives the same model."""


class ModelPackage(Manifest):
    """A backbone, or a task model: a head with the reference of its backbone."""

    model_config = MODEL
    name: ClassVar[str] = "model.json"

    kind: Literal["model/1"] = "model/1"
    title: str
    task: Literal["backbone", "scenes", "segmentation"]
    architecture: Architecture
    weights: Bulk
    """Safetensors: the backbone's, or the head's alone."""
    backbone: BackboneReference | None = None
    image: ImageSpec
    input_px: Pixels
    """Side of the square images that the model is used with."""
    overlap: Overlap = 0.25
    """Overlap of neighbouring tiles when a scene is mapped, as a share of `input_px`."""
    classes: tuple[ClassSpec, ...] = ()
    split: Bulk | None = None
    """Parquet of `tile` int64 and `part` (`train`, `validation`, `test`): which tiles a task model has seen."""
    provenance: Provenance

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest without the run that wrote it: a backbone that is trained again fits the heads of the first one."""
        return hashlib.sha256(self.model_dump_json(exclude={"provenance": {"run_id"}}).encode()).hexdigest()


class ServingPackage(Manifest):
    """A task model as ONNX, ready for an inference server."""

    model_config = MODEL
    name: ClassVar[str] = "serving.json"

    kind: Literal["serving/1"] = "serving/1"
    title: str
    """Name of the model on the server."""
    task: Literal["scenes", "segmentation"]
    model: str | None = None
    """Folder of the model it was exported from, relative where both lie in one store; PyTorch runs that one."""
    model_digest: str
    """Digest of the `model.json` it was exported from."""
    onnx: Bulk
    """Input `images` float32 (N, C, H, W), normalised; output `probabilities`: uint8 (N, K, H, W), 255 times the probability, for
    segmentation; float32 (N, K) for scenes."""
    golden: Bulk
    """A tile and the output that a server must give for it: NumPy archive with `images` and `probabilities`."""
    image: ImageSpec
    input_px: Pixels
    overlap: Overlap
    batch_size: int = Field(gt=0)
    """Every call carries this many images; a smaller rest is padded."""
    classes: tuple[ClassSpec, ...] = Field(min_length=1)
    parity: float = Field(ge=0, le=1)
    """Largest difference of a probability between the exported and the trained model, 0 to 1."""
    licence: tuple[str, ...]
    """Licences of the training data."""
    attribution: tuple[str, ...]

    @property
    def rights(self) -> dict[str, str]:
        """What the licences of the training data ask for, as tags of a map."""
        return {"LICENCE": "; ".join(self.licence), "ATTRIBUTION": "; ".join(self.attribution)}
