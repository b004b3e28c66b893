"""How often clips are drawn, from the classes they show: for data sets with a few common and many rare classes."""

import numpy as np
from numpy.typing import NDArray

from alphaction.utils.errors import ConfigError


def clip_shares(sampling: str, threshold: float, presence: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns [n] how often each clip is drawn, in proportion.

    "repeat_factor" is max(1, sqrt(threshold / f)) of the clip's rarest class, where f is the share of clips that show
    the class (LVIS, Gupta et al. 2019, section 6). "class_balanced" draws a class and then one of its clips: the sum
    over the clip's classes of 1 / (number of clips that show the class).

    Args:
        sampling: "repeat_factor" or "class_balanced".
        threshold: share of clips below which a class counts as rare; for "repeat_factor".
        presence: [n, K] whether a clip shows a class.

    Raises:
        ConfigError: no clip shows a class.
    """
    num_clips_of = presence.sum(axis=0)  # [K]
    if not num_clips_of.any():
        raise ConfigError(f'DATALOADER.SAMPLING "{sampling}" needs labelled clips, and no training clip has a label.')
    counts = np.maximum(num_clips_of, 1)
    if sampling == "class_balanced":
        return presence @ (1.0 / counts)
    factors = np.maximum(1.0, np.sqrt(threshold * len(presence) / counts))  # [K]
    shares: NDArray[np.float64] = np.where(presence, factors, 1.0).max(axis=1)
    return shares
