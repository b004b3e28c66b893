"""From feature maps and boxes to one vector per person."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from yacs.config import CfgNode

from alphaction.layers.roi_pool_3d import ROIAlign3d, ROIPool3d
from alphaction.modeling.backbone.base import Features
from alphaction.modeling.registry import ROI_ACTION_FEATURE_EXTRACTORS
from alphaction.modeling.roi_heads.action_head.base import FeatureExtractor, PooledBoxes
from alphaction.modeling.roi_heads.action_head.interaction import InteractionStructure
from alphaction.modeling.roi_heads.action_head.interaction_build import build_interaction
from alphaction.modeling.roi_heads.action_head.memory_feature import complete_memory
from alphaction.structures.boxes import Boxes
from alphaction.utils.errors import ConfigError


class TwoMLPFeatureExtractor(FeatureExtractor):
    """Pools each box, takes the maximum over space and passes it through two fully connected layers.

    Args:
        dim_in: channels of all pathways together.
        hidden_dim: width of both layers.
        pooler: from a feature map [N, C, T, H, W] and boxes to [R, C, T, h, w].
        mean_before_pooler: True averages the maps over time before pooling, False the pooled boxes.
        interaction: what the persons gather from persons, objects and memory, between pooling and the first layer.
        fusion: "add" the gathered to the pooled persons, which needs equal widths, or "concat" them.

    Raises:
        ConfigError: the widths do not fit.
    """

    def __init__(
        self,
        *,
        dim_in: int,
        hidden_dim: int,
        pooler: nn.Module,
        mean_before_pooler: bool,
        interaction: InteractionStructure | None = None,
        fusion: str = "add",
    ) -> None:
        super().__init__()
        self.pooler = pooler
        self.mean_before_pooler = mean_before_pooler
        self.ia_structure = interaction
        self._fusion = fusion
        joined_dim = dim_in if interaction is None else _joined_dim(dim_in, interaction.dim_out, fusion)
        self.fc1 = _make_linear(joined_dim, hidden_dim)
        self.fc2 = _make_linear(hidden_dim, hidden_dim)
        self.dim_out = hidden_dim

    def pool(self, features: Features, boxes: Sequence[Boxes]) -> PooledBoxes:
        maps = [pathway for pathway in features if pathway is not None]
        if self.mean_before_pooler:
            joined = torch.cat([pathway.mean(dim=2, keepdim=True) for pathway in maps], dim=1)
            pooled = self.pooler(joined, boxes)  # [R, C, 1, h, w]
        else:
            pooled = torch.cat([self.pooler(pathway, boxes).mean(2, keepdim=True) for pathway in maps], dim=1)
        return PooledBoxes(pooled.amax(dim=(2, 3, 4)), tuple(len(entry) for entry in boxes), _scores_of(boxes))

    def forward(self, persons: PooledBoxes, objects: PooledBoxes | None = None, memory: Tensor | None = None) -> Tensor:
        x = persons.features
        if self.ia_structure is not None:
            spec = self.ia_structure.spec
            around = complete_memory(memory, persons, spec) if spec.has("M") else None
            gathered = self.ia_structure(persons, objects, around)
            x = x + gathered if self._fusion == "add" else torch.cat([x, gathered], dim=1)
        return F.relu(self.fc2(F.relu(self.fc1(x))))


@ROI_ACTION_FEATURE_EXTRACTORS.register("2MLPFeatureExtractor")
def build_two_mlp_feature_extractor(cfg: CfgNode, dim_in: int) -> TwoMLPFeatureExtractor:
    """Returns the extractor of the config for feature maps of ``dim_in`` channels.

    Raises:
        ValueError: no interaction structure has the given name.
        ConfigError: an unknown pooler, or widths that do not fit.
    """
    keys = cfg.MODEL.ROI_ACTION_HEAD
    return TwoMLPFeatureExtractor(
        dim_in=dim_in,
        hidden_dim=keys.MLP_HEAD_DIM,
        pooler=_make_pooler(
            keys.POOLER_TYPE,
            resolution=keys.POOLER_RESOLUTION,
            spatial_scale=keys.POOLER_SCALE,
            sampling_ratio=keys.POOLER_SAMPLING_RATIO,
        ),
        mean_before_pooler=keys.MEAN_BEFORE_POOLER,
        interaction=build_interaction(cfg, dim_in) if cfg.MODEL.IA_STRUCTURE.ACTIVE else None,
        fusion=cfg.MODEL.IA_STRUCTURE.FUSION,
    )


def _scores_of(boxes: Sequence[Boxes]) -> Tensor | None:
    """Returns [R] the scores of all boxes, None where a clip has none."""
    scores = [entry.scores for entry in boxes if entry.scores is not None]
    return torch.cat(scores) if boxes and len(scores) == len(boxes) else None


def _joined_dim(dim_in: int, dim_gathered: int, fusion: str) -> int:
    if fusion == "add" and dim_gathered != dim_in:
        raise ConfigError(
            f'MODEL.IA_STRUCTURE.DIM_OUT is {dim_gathered} and the backbone is {dim_in} channels wide: FUSION "add" '
            f'needs both alike. Set DIM_OUT {dim_in}, or FUSION "concat".'
        )
    return dim_in if fusion == "add" else dim_in + dim_gathered


def _make_pooler(kind: str, *, resolution: int, spatial_scale: float, sampling_ratio: int) -> nn.Module:
    if kind == "align3d":
        return ROIAlign3d(resolution=resolution, spatial_scale=spatial_scale, sampling_ratio=sampling_ratio)
    if kind == "pooling3d":
        return ROIPool3d(resolution=resolution, spatial_scale=spatial_scale)
    raise ConfigError(f'MODEL.ROI_ACTION_HEAD.POOLER_TYPE is "{kind}"; use "align3d" or "pooling3d".')


def _make_linear(dim_in: int, dim_out: int) -> nn.Linear:
    linear = nn.Linear(dim_in, dim_out)
    nn.init.kaiming_uniform_(linear.weight, a=1)
    nn.init.zeros_(linear.bias)
    return linear
