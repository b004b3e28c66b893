"""From a person's vector to logits."""

from torch import Tensor, nn
from yacs.config import CfgNode

from alphaction.modeling.registry import ROI_ACTION_PREDICTORS


class FCPredictor(nn.Module):
    """Dropout and one fully connected layer.

    Args:
        dim_in: width of a person's vector.
        num_classes: number of logits.
        dropout: probability that an entry of the vector is left out in training.
    """

    def __init__(self, *, dim_in: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.cls_score = nn.Linear(dim_in, num_classes)
        nn.init.normal_(self.cls_score.weight, std=0.01)
        nn.init.zeros_(self.cls_score.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.cls_score(self.dropout(x))


@ROI_ACTION_PREDICTORS.register("FCPredictor")
def build_fc_predictor(cfg: CfgNode, dim_in: int) -> FCPredictor:
    keys = cfg.MODEL.ROI_ACTION_HEAD
    return FCPredictor(dim_in=dim_in, num_classes=keys.NUM_CLASSES, dropout=keys.DROPOUT_RATE)
