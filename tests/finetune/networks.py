"""Models of every family that fine-tuning has to know, without the memory of their weights."""

from functools import cache
from typing import Any

import torch
from torch import nn

from alphaction.config import get_cfg
from alphaction.finetune.layout import ModelLayout
from alphaction.modeling import build_detector
from alphaction.structures.unit import Unit

# Keys that a backbone cannot do without.
KEYS: dict[str, list[Any]] = {
    "Slowfast-Resnet50": [
        "MODEL.BACKBONE.SLOWFAST.SLOW.CONV3_NONLOCAL",
        False,
        "MODEL.BACKBONE.SLOWFAST.SLOW.CONV4_NONLOCAL",
        False,
    ],
    "Slowfast-Tiny": [],
    "I3D-Resnet50": ["INPUT.FRAME_NUM", 64],
    "R3D-18": [],
    "MC3-18": [],
    "R2Plus1D-18": [],
    "MViT-V1-B": [],
    "MViT-V2-S": [],
}


@cache
def layout_of(backbone: str) -> ModelLayout:
    """Returns the layout of a detector with this backbone; its parameters have shapes and no values."""
    cfg = get_cfg()
    cfg.merge_from_list(["MODEL.BACKBONE.CONV_BODY", backbone, *KEYS[backbone]])
    with torch.device("meta"):
        return ModelLayout(tuple(build_detector(cfg).stages()))


class Block(nn.Sequential):
    """A linear layer, a batch norm and dropout."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))


class Net(nn.Module):
    """A stem, two layers of two blocks, a norm and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm, self.head = Block(), nn.LayerNorm(4), nn.Linear(4, 2)
        self.layer1, self.layer2 = nn.Sequential(Block(), Block()), nn.Sequential(Block(), Block())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.layer2(self.layer1(self.stem(x)))))

    def stages(self) -> list[Unit]:
        blocks = [
            Unit(f"{name}.{i}", {f"{name}.{i}": getattr(self, name)[i]}, layer=name)
            for name in ("layer1", "layer2")
            for i in (0, 1)
        ]
        stem = Unit("stem", {"stem": self.stem}, kind="stem")
        norm = Unit("norm", {"norm": self.norm}, kind="norm")
        return [stem, *blocks, norm, Unit("head", {"head": self.head}, kind="head")]
