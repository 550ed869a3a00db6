"""What can be set about the choice of tiles for pretraining."""

from pydantic import BaseModel, ConfigDict, Field

from eartheye.seed import Seed


class CuratorConfig(BaseModel):
    """What is dropped.

    The report names the means, clusters and quality, and no number: the defaults were chosen on AID, NAIP and Dubai tiles and on the
    synthetic world, so that what they drop looks right to the eye.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    min_valid_share: float = Field(0.8, ge=0, le=1)
    """Least share of pixels with data."""
    max_cloud_share: float = Field(0.3, ge=0, le=1)
    """Largest share that looks like cloud in this acquisition and not in the clearest one of the site."""
    max_bright_share: float = Field(0.9, ge=0, le=1)
    """Largest share that looks like cloud in every acquisition: below it, it may as well be sand, salt, snow or a roof."""
    min_entropy_bit: float = Field(2.0, ge=0, le=8)
    """Least entropy of the brightness: noise of one grey level alone has 2 bits; the sea of the Dubai tiles has 3.3."""
    min_sharpness: float = Field(0.4, ge=0)
    """Least sharpness. Tiles of AID and Dubai have 1.6 to 4.2; blurred by two pixels, 0.2 to 0.5."""
    duplicate_correlation: float = Field(0.98, gt=0, le=1)
    """Correlation of two sites' thumbnails, of 32 x 32 pixels, from which the second is dropped as a copy of the first."""
    clusters: int = Field(64, ge=1)
    """Scene types that are told apart, by sensor; fewer where there would be less than eight sites to each."""
    max_cluster_excess: float = Field(2.0, ge=1, le=1e6)
    """A scene type keeps at most so many times its share of the sites, which is in proportion to what its images hold (their perplexity);
    the rest is redundant. The smaller, the fewer sites of water and desert."""
    seed: Seed = 0
    """Another seed starts the clusters elsewhere and drops other sites of a redundant type."""
