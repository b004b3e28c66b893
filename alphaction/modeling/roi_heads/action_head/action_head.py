"""The action head: pool the boxes, then classify them."""

from collections.abc import Sequence

from torch import Tensor, nn
from yacs.config import CfgNode

from alphaction.modeling.backbone.base import Features
from alphaction.modeling.registry import ROI_ACTION_FEATURE_EXTRACTORS, ROI_ACTION_PREDICTORS
from alphaction.modeling.roi_heads.action_head.base import FeatureExtractor, PooledBoxes
from alphaction.structures.boxes import Boxes


class ActionHead(nn.Module):
    """Pools boxes and classifies them, in two steps, so that pooled features can be kept between them.

    Args:
        feature_extractor: pools, and turns what was pooled into a vector per person.
        predictor: from the vector to logits.
        extend_scale: shares of width and height by which the boxes of persons are enlarged in eval mode.
    """

    def __init__(
        self,
        *,
        feature_extractor: FeatureExtractor,
        predictor: nn.Module,
        extend_scale: tuple[float, float],
    ) -> None:
        super().__init__()
        self.feature_extractor = feature_extractor
        self.predictor = predictor
        self.extend_scale = extend_scale

    def pool(self, features: Features, boxes: Sequence[Boxes]) -> PooledBoxes:
        """Returns one vector a person. Boxes are enlarged in eval mode, in training they are taken as given.

        Args:
            features: maps of the backbone.
            boxes: one entry a clip, in pixels of the clip.
        """
        if not self.training:
            boxes = [entry.extend(self.extend_scale) for entry in boxes]
        return self.feature_extractor.pool(features, boxes)

    def pool_objects(self, features: Features, objects: Sequence[Boxes]) -> PooledBoxes:
        """Returns one vector an object; object boxes are never enlarged. Arguments as for :meth:`pool`."""
        return self.feature_extractor.pool(features, objects)

    def classify(
        self, persons: PooledBoxes, objects: PooledBoxes | None = None, memory: Tensor | None = None
    ) -> Tensor:
        """Returns logits [R, K] of the persons.

        Args:
            persons: what :meth:`pool` returned.
            objects: pooled objects, for an interaction with them.
            memory: [N, seconds * MAX_PER_SEC, C] pooled persons of other times, for an interaction with them.
        """
        return self.predictor(self.feature_extractor(persons, objects, memory))


def build_action_head(cfg: CfgNode, dim_in: int) -> ActionHead:
    """Returns the action head of the config for feature maps of ``dim_in`` channels.

    Raises:
        ValueError: no feature extractor or predictor has the given name.
        ConfigError: keys that cannot be built.
    """
    keys = cfg.MODEL.ROI_ACTION_HEAD
    extractor = ROI_ACTION_FEATURE_EXTRACTORS.get(keys.FEATURE_EXTRACTOR)(cfg, dim_in)
    predictor = ROI_ACTION_PREDICTORS.get(keys.PREDICTOR)(cfg, extractor.dim_out)
    return ActionHead(feature_extractor=extractor, predictor=predictor, extend_scale=tuple(cfg.TEST.EXTEND_SCALE))
