"""Action detection: what every person around a key frame is doing."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from alphaction.config.check import class_count_keys, loss_weight_advice
from alphaction.config.defaults import _C as DEFAULTS
from alphaction.config.load import flat_keys
from alphaction.config.paths_catalog import DatasetCatalog
from alphaction.dataset.build import build_dataset, load_labels
from alphaction.dataset.single_video import open_single_video
from alphaction.evaluation import EVALUATORS, Evaluator
from alphaction.modeling.action_detector import ActionDetector, build_detector
from alphaction.modeling.backbone.base import Unit
from alphaction.modeling.clip_input import ClipNormalizer
from alphaction.modeling.roi_heads.action_head.loss import action_accuracies, action_losses
from alphaction.modeling.roi_heads.action_head.postprocess import scores_from_logits
from alphaction.modeling.roi_heads.action_head.proposals import jitter_boxes, sample_boxes
from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipBatch, ClipPrediction, DetectionTarget, StepOutput
from alphaction.structures.labels import LabelMap
from alphaction.tasks.base import TASKS, Task
from alphaction.utils.comm import reduce_mean
from alphaction.utils.errors import ConfigError

logger = logging.getLogger(__name__)


@TASKS.register("action_detection")
class ActionDetection(Task):
    """Frame-level action detection on AVA-format data.

    Args:
        labels: the classes; their groups decide losses and scores.
        loss_weights: by group name.
        gamma, alpha: of the focal losses.
        max_boxes: persons of a clip used in a training step.
        box_jitter: largest moves of a training box's edges, as shares of its size.
        weigh_by_box_score: multiply action scores by the detector's score.
        normalizer: frames to what the network sees.
    """

    name = "action_detection"

    def __init__(
        self,
        *,
        labels: LabelMap,
        loss_weights: dict[str, float],
        gamma: float,
        alpha: float,
        max_boxes: int,
        box_jitter: tuple[float, float, float, float],
        weigh_by_box_score: bool,
        normalizer: ClipNormalizer,
    ) -> None:
        self.labels = labels
        self._loss_weights = loss_weights
        self._gamma, self._alpha = gamma, alpha
        self._max_boxes, self._box_jitter = max_boxes, box_jitter
        self._weigh_by_box_score = weigh_by_box_score
        self._normalizer = normalizer

    @classmethod
    def resolve_config(cls, cfg: Any) -> Any:
        """Returns the config with the class counts of the data sets' label files.

        Raises:
            ConfigError: the data sets have different classes, or the NUM_* keys were set to something else.
        """
        labels = _shared_labels(cfg)
        found = dict(zip(class_count_keys(), (len(labels), *labels.groups.counts), strict=True))
        values, defaults = flat_keys(cfg), flat_keys(DEFAULTS)
        given = {key: values[key] for key in found}
        if given == found:
            return cfg
        if any(given[key] != defaults[key] for key in found):
            raise ConfigError(
                f"The class counts {_counts(given)} disagree with the label file of the data, which has "
                f"{_counts(found)}. Leave the four NUM_*_CLASSES keys out: the label file sets them."
            )
        resolved = cfg.clone()
        resolved.merge_from_list([item for pair in found.items() for item in pair])
        logger.info("Classes from the label file: %s.", _counts(found))
        for advice in loss_weight_advice(resolved):
            logger.warning("%s", advice)
        return resolved

    @classmethod
    def from_cfg(cls, cfg: Any) -> "ActionDetection":
        head = cfg.MODEL.ROI_ACTION_HEAD
        return cls(
            labels=_shared_labels(cfg),
            loss_weights={
                "pose": head.POSE_LOSS_WEIGHT,
                "object": head.OBJECT_LOSS_WEIGHT,
                "person": head.PERSON_LOSS_WEIGHT,
            },
            gamma=head.FOCAL_LOSS.GAMMA,
            alpha=head.FOCAL_LOSS.ALPHA,
            max_boxes=head.PROPOSAL_PER_CLIP,
            box_jitter=tuple(cfg.INPUT.BOX_JITTER),
            weigh_by_box_score=cfg.TEST.WEIGH_BY_BOX_SCORE,
            normalizer=ClipNormalizer(mean=cfg.INPUT.PIXEL_MEAN, std=cfg.INPUT.PIXEL_STD, to_bgr=cfg.INPUT.TO_BGR),
        )

    def build_model(self, cfg: Any) -> ActionDetector:
        return build_detector(cfg)

    def head_prefixes(self, model: nn.Module) -> tuple[str, ...]:
        return _detector(model).head_prefixes

    def stages(self, model: nn.Module) -> Sequence[Unit]:
        return _detector(model).stages()

    def build_dataset(self, cfg: Any, name: str, is_train: bool) -> Any:
        return build_dataset(cfg, name, is_train)

    def open_video(self, cfg: Any, video_path: Any, boxes_path: Any) -> Any:
        return open_single_video(cfg, video_path, boxes_path, self.labels)

    def train_step(self, model: nn.Module, batch: ClipBatch, generator: torch.Generator) -> StepOutput:
        persons = [self._training_boxes(target, generator) for target in batch.targets]
        slow, fast = self._normalizer(batch.media)
        logits = model(slow, fast, persons)  # [R, K]
        labels = torch.cat([boxes.labels for boxes in persons if boxes.labels is not None])  # [R, K]
        mean_boxes = reduce_mean(logits.new_tensor(float(len(labels))))
        losses = action_losses(
            logits,
            labels,
            groups=self.labels.groups,
            weights=self._loss_weights,
            gamma=self._gamma,
            alpha=self._alpha,
            normalizer=mean_boxes,
        )
        return StepOutput(losses, action_accuracies(logits, labels, groups=self.labels.groups))

    def predict_batch(self, model: nn.Module, batch: ClipBatch) -> list[ClipPrediction]:
        slow, fast = self._normalizer(batch.media)
        logits = model(slow, fast, [target.persons for target in batch.targets])
        scores = scores_from_logits(logits, self.labels.groups)  # [R, K]
        if self._weigh_by_box_score:
            scores = scores * torch.cat([_box_scores(target) for target in batch.targets])[:, None]
        scores = scores.cpu()
        parts = scores.split([len(target.persons) for target in batch.targets])
        return [
            ClipPrediction(key, _on_decoded_frame(target, part))
            for key, target, part in zip(batch.keys, batch.targets, parts, strict=True)
        ]

    def make_evaluator(self, cfg: Any, dataset: Any) -> Evaluator:
        evaluator_class: Any = EVALUATORS.get(dataset.evaluator)
        return evaluator_class(
            labels=self.labels,
            ground_truth=dataset.ground_truth(),
            evaluated_ids=dataset.evaluated_ids,
            excluded=dataset.excluded,
            score_threshold=cfg.TEST.ACTION_THRESH,
        )

    def state_dict(self) -> dict[str, Any]:
        return {"name": self.name, "class_ids": list(self.labels.ids), "class_names": list(self.labels.names)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Compares the classes.

        Raises:
            ConfigError: the checkpoint was trained on other classes.
        """
        saved = dict(zip(state["class_ids"], state["class_names"], strict=True))
        current = dict(zip(self.labels.ids, self.labels.names, strict=True))
        if saved != current:
            differing = {i: (saved.get(i), current.get(i)) for i in saved | current if saved.get(i) != current.get(i)}
            raise ConfigError(
                "The checkpoint was trained on other classes than the label file has; id: (checkpoint, label file) "
                f"{differing}. Use the label file of that run, or start anew from it with --transfer --no-head."
            )

    def _training_boxes(self, target: DetectionTarget, generator: torch.Generator) -> Boxes:
        chosen = sample_boxes(target.persons, self._max_boxes, generator)
        return jitter_boxes(chosen, self._box_jitter, generator)


def _shared_labels(cfg: Any) -> LabelMap:
    """Returns the classes of every data set of the config; AVA's when it names none."""
    names = dict.fromkeys((*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST))
    by_name = {name: load_labels(DatasetCatalog.get(name)) for name in names}
    if not by_name:
        return LabelMap.ava()
    (first, labels), *others = by_name.items()
    for name, other in others:
        if other != labels:
            raise ConfigError(
                f'The data sets "{first}" and "{name}" have different classes or groups '
                f"({len(labels)} and {len(other)} classes); give both the same label_file, groups and keep_classes."
            )
    return labels


def _counts(values: dict[str, int]) -> str:
    total, exclusive, *multilabel = values.values()
    return f"{total} ({exclusive} exclusive, {' + '.join(map(str, multilabel))} multi-label)"


def _detector(model: nn.Module) -> ActionDetector:
    if not isinstance(model, ActionDetector):
        raise TypeError(f"expected an ActionDetector, got {type(model).__name__}")
    return model


def _box_scores(target: DetectionTarget) -> torch.Tensor:
    """Returns [n] the detector's scores, 1 for boxes without."""
    persons = target.persons
    return persons.xyxy.new_ones(len(persons)) if persons.scores is None else persons.scores


def _on_decoded_frame(target: DetectionTarget, scores: torch.Tensor) -> Boxes:
    """Returns the boxes as they were given, in pixels of the decoded frame, with action scores."""
    persons = target.persons.to("cpu")
    return Boxes(persons.xyxy, persons.size, scores=scores).resize(target.frame_size)
