"""Which tiles are too poor to learn from, by what the tiler measured."""

import numpy as np
import pandas as pd

from components.curator.config import CuratorConfig


def poor(index: pd.DataFrame, config: CuratorConfig) -> pd.Series:
    """Return why each tile is dropped, the first reason that holds, None where it is good enough; by the index of the rows.

    Cloud is told from bright ground by the other acquisitions of the site: ground is bright in all of them.

    Args:
        index: rows of the tile index, none of them rejected.
        config: the limits.
    """
    bright = 1 - index["clear"].fillna(1.0)
    least_bright = bright.groupby([index["sensor"], index["site"]]).transform("min")
    reasons = {
        "not for pretraining": ~index["pretrain"],
        "too little valid": index["valid"] < config.min_valid_share,
        "cloudy": (bright - least_bright > config.max_cloud_share) | (bright > config.max_bright_share),
        "low entropy": index["entropy_bit"] < config.min_entropy_bit,
        "blurred": index["sharpness"] < config.min_sharpness,
    }
    why = np.full(len(index), None, dtype=object)
    for reason, holds in reversed(reasons.items()):
        why[holds.to_numpy()] = reason
    return pd.Series(why, index=index.index, dtype=object)
