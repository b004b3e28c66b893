"""The dense serial interaction of the R50 model, with persons, objects and memory, against the golden numbers."""

import pytest
import torch
from golden_model import (
    GROUPS,
    WEIGHTS,
    Clips,
    Evaluated,
    Golden,
    Trained,
    assert_gradients,
    assert_logits_and_scores,
    assert_losses_and_metrics,
    assert_steps,
    evaluate_once,
    golden_cfg,
    load_golden,
    make_clips,
    make_golden_detector,
    train_once,
)
from torch import Tensor, nn

from alphaction.modeling.roi_heads.action_head.memory_feature import memory_penalty
from alphaction.modeling.roi_heads.action_head.postprocess import scores_from_logits
from alphaction.structures.boxes import Boxes

SECONDS, PER_SECOND, DIM = 61, 5, 2304
CLIP_SECONDS = (910, 915)
CURRENT_LOSS = 1.3
BLOCKS = ("P_block_1", "O_block_1", "M_block_1", "P_block_2", "O_block_2", "M_block_2")
ZERO_GRADIENTS = (".key.bias",)


def memory_of(seconds: dict[int, Tensor]) -> Tensor:
    """Returns [2, 305, 2304] the windows of both clips in a movie whose persons these are."""
    memory = torch.zeros(len(CLIP_SECONDS), SECONDS, PER_SECOND, DIM)
    for clip, middle in enumerate(CLIP_SECONDS):
        for place in range(SECONDS):
            persons = seconds.get(middle - SECONDS // 2 + place)
            if persons is not None:
                memory[clip, place, : len(persons)] = persons
    return memory.flatten(1, 2)


def recorded(train: bool) -> dict[int, Tensor]:
    """Returns second -> persons of the recorded pool, weighed by the penalty in training."""
    seconds = {}
    for (movie, second), (count, tag) in WEIGHTS["pool_layout"](train).items():
        if movie == "mov_a":
            persons = torch.from_numpy(WEIGHTS["pool_feature"](movie, second, count)).flatten(1)
            seconds[second] = persons * memory_penalty(torch.tensor(tag), CURRENT_LOSS) if train else persons
    return seconds


@pytest.fixture(scope="module")
def golden() -> Golden:
    return load_golden("r50_denseserial")


@pytest.fixture(scope="module")
def detector(golden: Golden) -> nn.Module:
    return make_golden_detector(golden_cfg(golden))


@pytest.fixture(scope="module")
def clips(golden: Golden, detector: nn.Module) -> Clips:
    """Returns the clips with the memory of the evaluation: both clips' seconds hold their own pooled persons."""
    clips = make_clips(golden, with_objects=True)
    with torch.no_grad():
        pooled, _ = detector.eval().pool(*clips[:4])
    own = dict(zip(CLIP_SECONDS, pooled.features.split(pooled.counts), strict=True))
    return clips._replace(memory=memory_of({**recorded(train=False), **own}))


@pytest.fixture(scope="module")
def evaluated(detector: nn.Module, clips: Clips) -> Evaluated:
    head = "roi_heads.action.feature_extractor"
    return evaluate_once(detector, clips, [f"{head}.ia_structure.{name}" for name in BLOCKS])


@pytest.fixture(scope="module")
def trained(detector: nn.Module, clips: Clips, evaluated: Evaluated, golden: Golden) -> Trained:
    training = clips._replace(memory=memory_of(recorded(train=True)))
    return train_once(detector, training, golden, golden_cfg(golden))


def test_pooled_boxes_equal_the_golden_numbers(detector: nn.Module, clips: Clips, golden: Golden) -> None:
    with torch.no_grad():
        persons, objects = detector.eval().pool(*clips[:4])
    expected = golden.arrays
    torch.testing.assert_close(persons.features, torch.from_numpy(expected["eval_person_pooled"]), rtol=0, atol=1e-4)
    torch.testing.assert_close(objects.features, torch.from_numpy(expected["eval_object_pooled"]), rtol=0, atol=1e-4)


def test_the_memory_of_these_tests_is_the_recorded_one(clips: Clips, golden: Golden) -> None:
    assert torch.equal((clips.memory > 0).any(-1), torch.from_numpy(golden.arrays["eval_memory_slot_filled"]))
    sums = torch.from_numpy(golden.arrays["eval_memory_slot_sum"])
    torch.testing.assert_close(clips.memory.double().sum(-1), sums, rtol=1e-5, atol=1e-3)


def test_logits_and_scores_equal_the_golden_numbers(evaluated: Evaluated, golden: Golden) -> None:
    assert_logits_and_scores(evaluated, golden)


def test_half_precision_in_the_memory_stays_within_the_tolerance(
    detector: nn.Module, clips: Clips, golden: Golden
) -> None:
    halved = clips._replace(memory=clips.memory.half().float())
    assert_logits_and_scores(evaluate_once(detector, halved), golden)


def test_a_clip_without_an_object_gives_the_golden_scores(detector: nn.Module, clips: Clips, golden: Golden) -> None:
    boxes = [torch.tensor(entry).reshape(-1, 4) for entry in golden.json["eval"]["objects_obj0_4"]]
    objects = [Boxes(entry, clips.boxes[0].size) for entry in boxes]
    scores = scores_from_logits(evaluate_once(detector, clips._replace(objects=objects)).logits, GROUPS)
    torch.testing.assert_close(scores, torch.from_numpy(golden.arrays["eval_scores_obj0_4"]), rtol=0, atol=1e-4)


def test_losses_and_metrics_equal_the_golden_numbers(trained: Trained, golden: Golden) -> None:
    assert_losses_and_metrics(trained, golden)


def test_every_gradient_equals_the_golden_one(trained: Trained, golden: Golden) -> None:
    assert_gradients(trained, golden, ZERO_GRADIENTS)


def test_one_step_moves_every_parameter_as_far_as_the_golden_one(trained: Trained, golden: Golden) -> None:
    assert_steps(trained, golden, ZERO_GRADIENTS)
