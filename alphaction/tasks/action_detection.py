"""Action detection: what every person around a key frame is doing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from alphaction.dataset.build import build_dataset
from alphaction.dataset.single_video import open_single_video
from alphaction.dataset.training_counts import count_training_boxes
from alphaction.evaluation import EVALUATORS, Evaluator
from alphaction.evaluation.ava_report import PRIMARY
from alphaction.modeling.action_detector import ActionDetector, build_detector
from alphaction.modeling.clip_input import ClipNormalizer
from alphaction.modeling.roi_heads.action_head.loss import action_accuracies, action_losses
from alphaction.modeling.roi_heads.action_head.postprocess import scores_from_logits
from alphaction.modeling.roi_heads.action_head.proposals import jitter_boxes, sample_boxes
from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipBatch, ClipKey, ClipPrediction, DetectionTarget, StepOutput
from alphaction.structures.labels import LabelMap
from alphaction.structures.memory_index import SecondIndex
from alphaction.structures.unit import Unit
from alphaction.tasks.base import TASKS, Task
from alphaction.tasks.class_weights import ClassWeighting
from alphaction.tasks.detection_classes import class_rows, require_same_classes, shared_labels, with_class_counts
from alphaction.tasks.detection_predictions import detection_predictions
from alphaction.tasks.feature_memory import FeatureMemory, MemorySettings, interacts_with
from alphaction.tasks.memory_passes import MemoryPasses
from alphaction.tasks.pooled_batches import PooledBatch
from alphaction.utils.comm import reduce_mean


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
        asks_for_objects: the model looks at objects.
        memory: how the model looks at other seconds, None if it does not.
        class_weighting: how single classes are weighed in the loss, None for all alike.
    """

    name = "action_detection"
    main_metric = PRIMARY

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
        asks_for_objects: bool = False,
        memory: MemorySettings | None = None,
        class_weighting: ClassWeighting | None = None,
    ) -> None:
        self.labels = labels
        self._loss_weights = loss_weights
        self._gamma, self._alpha = gamma, alpha
        self._max_boxes, self._box_jitter = max_boxes, box_jitter
        self._weigh_by_box_score = weigh_by_box_score
        self._normalizer = normalizer
        self._asks_for_objects = asks_for_objects
        self._memory_passes = None if memory is None else MemoryPasses(memory)
        self._class_weighting = class_weighting or ClassWeighting()
        self._class_weights: torch.Tensor | None = None
        self._memory: FeatureMemory | None = None
        self._memory_file: dict[str, Any] = {}

    @classmethod
    def resolve_config(cls, cfg: Any) -> Any:
        return with_class_counts(cfg)

    @classmethod
    def from_cfg(cls, cfg: Any) -> "ActionDetection":
        head, labels = cfg.MODEL.ROI_ACTION_HEAD, shared_labels(cfg)
        return cls(
            labels=labels,
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
            asks_for_objects=interacts_with(cfg, "O"),
            memory=MemorySettings.from_cfg(cfg),
            class_weighting=ClassWeighting.from_cfg(cfg, labels),
        )

    def build_model(self, cfg: Any) -> ActionDetector:
        return build_detector(cfg)

    def head_prefixes(self, model: nn.Module) -> tuple[str, ...]:
        return _detector(model).head_prefixes

    def class_rows(self, model: nn.Module) -> tuple[str, ...]:
        return class_rows(model)

    def stages(self, model: nn.Module) -> Sequence[Unit]:
        return _detector(model).stages()

    def build_dataset(self, cfg: Any, name: str, is_train: bool) -> Any:
        return self._with_usable_times(build_dataset(cfg, name, is_train))

    def open_video(self, cfg: Any, video_path: Any, boxes_path: Any) -> Any:
        return self._with_usable_times(open_single_video(cfg, video_path, boxes_path, self.labels))

    def _with_usable_times(self, dataset: Any) -> Any:
        """Returns the dataset after checking, before any work, that a memory could hold its key frames."""
        if self._memory_passes is not None:
            SecondIndex([dataset.key(index) for index in range(len(dataset))])
        return dataset

    def start_training(self, model: nn.Module, dataset: Any, saved: dict[str, Any] | None, folder: Path) -> None:
        weights = self._class_weighting.weights(self.labels, dataset)
        self._class_weights = None if weights is None else weights.to(next(model.parameters()).device)
        if self._memory_passes is None:
            return
        keys = [dataset.key(index) for index in range(len(dataset))]
        self._memory = self._memory_passes.make(_detector(model), keys)
        if saved is not None:
            self._memory.restore(saved.get("memory"), folder)

    def train_step(self, model: nn.Module, batch: ClipBatch, generator: torch.Generator) -> StepOutput:
        persons = [self._training_boxes(target, generator) for target in batch.targets]
        slow, fast = self._normalizer(batch.media)
        if self._memory is None:
            logits, aux = model(slow, fast, persons, self._objects(batch.targets)), None  # [R, K]
        else:
            around = self._memory.around(batch.keys, slow.device)
            logits, pooled = model(slow, fast, persons, self._objects(batch.targets), around, with_pooled=True)
            aux = (batch.keys, pooled.detach())
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
            class_weights=self._class_weights,
        )
        return StepOutput(losses, action_accuracies(logits, labels, groups=self.labels.groups), aux)

    def after_step(self, output: StepOutput) -> None:
        """Writes the persons of the step to the memory, tagged with a loss that all processes agree on."""
        if self._memory is not None:
            total = torch.stack([loss.detach().float() for loss in output.losses.values()]).sum()
            keys, persons = output.aux
            self._memory.write_step(keys, persons, reduce_mean(total).item())

    def predict(self, model: nn.Module, loader: Iterable[ClipBatch]) -> Iterator[ClipPrediction]:
        """Yields predictions of every clip; with a memory in two passes, since it must be full before it is read."""
        if self._memory_passes is None:
            yield from super().predict(model, loader)
            return
        pooled = (self._pool(_detector(model), batch) for batch in loader)
        for part, logits in self._memory_passes.classify(_detector(model), pooled):
            yield from self._predictions(part.keys, part.targets, logits)

    def predict_batch(self, model: nn.Module, batch: ClipBatch) -> list[ClipPrediction]:
        slow, fast = self._normalizer(batch.media)
        persons = [target.persons for target in batch.targets]
        return self._predictions(batch.keys, batch.targets, model(slow, fast, persons, self._objects(batch.targets)))

    def _pool(self, model: ActionDetector, batch: ClipBatch) -> PooledBatch:
        slow, fast = self._normalizer(batch.media)
        persons = [target.persons for target in batch.targets]
        return PooledBatch(batch.keys, batch.targets, *model.pool(slow, fast, persons, self._objects(batch.targets)))

    def _objects(self, targets: Sequence[DetectionTarget]) -> list[Boxes] | None:
        if not self._asks_for_objects:
            return None
        return [_without_boxes(target.persons) if target.objects is None else target.objects for target in targets]

    def _predictions(
        self, keys: Sequence[ClipKey], targets: Sequence[DetectionTarget], logits: torch.Tensor
    ) -> list[ClipPrediction]:
        scores = scores_from_logits(logits, self.labels.groups)  # [R, K]
        return detection_predictions(keys, targets, scores, weigh_by_box_score=self._weigh_by_box_score)

    def make_evaluator(self, cfg: Any, dataset: Any, training_set: Any = None) -> Evaluator:
        evaluator_class: Any = EVALUATORS.get(dataset.evaluator)
        return evaluator_class(
            labels=self.labels,
            ground_truth=dataset.ground_truth(),
            evaluated_ids=dataset.evaluated_ids,
            excluded=dataset.excluded,
            score_threshold=cfg.TEST.ACTION_THRESH,
            training_boxes=count_training_boxes(cfg, self.labels, training_set),
        )

    def save_files(self, folder: Path, tag: str) -> None:
        if self._memory is not None:
            self._memory_file = self._memory.save(folder / f"memory_{tag}.safetensors")

    def state_dict(self) -> dict[str, Any]:
        classes = {"class_ids": list(self.labels.ids), "class_names": list(self.labels.names)}
        return {"name": self.name, **classes, **({"memory": self._memory_file} if self._memory_file else {})}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Compares the classes.

        Raises:
            ConfigError: the checkpoint was trained on other classes.
        """
        require_same_classes(self.labels, state["class_ids"], state["class_names"])

    def _training_boxes(self, target: DetectionTarget, generator: torch.Generator) -> Boxes:
        chosen = sample_boxes(target.persons, self._max_boxes, generator)
        if self._memory_passes is not None:  # where the memory has too few slots, chance decides who is kept
            chosen = replace(chosen, scores=torch.rand(len(chosen), generator=generator).to(chosen.xyxy.device))
        return jitter_boxes(chosen, self._box_jitter, generator)


def _without_boxes(persons: Boxes) -> Boxes:
    """Returns the objects of a clip that has none."""
    return Boxes(persons.xyxy[:0], persons.size, scores=persons.xyxy.new_zeros(0))


def _detector(model: nn.Module) -> ActionDetector:
    if not isinstance(model, ActionDetector):
        raise TypeError(f"expected an ActionDetector, got {type(model).__name__}")
    return model
