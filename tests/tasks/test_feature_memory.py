"""The memory as training and test use it, on the real pool and a small real detector."""

from pathlib import Path

import pytest
import torch

from alphaction.config import load_cfg
from alphaction.modeling import build_detector
from alphaction.modeling.roi_heads.action_head.base import PooledBoxes
from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipBatch, ClipKey, DetectionTarget, Media
from alphaction.structures.memory_pool import MemoryPool
from alphaction.tasks.action_detection import ActionDetection
from alphaction.tasks.feature_memory import FeatureMemory, MemorySettings
from alphaction.utils.errors import CheckpointError, DataError

CPU = torch.device("cpu")
KEYS = [ClipKey("a", 1000 * second) for second in range(1, 6)]


def make_memory(*, has_penalty: bool = False) -> FeatureMemory:
    pool = MemoryPool.create(KEYS, max_per_second=2, dim=3)
    return FeatureMemory(pool, MemorySettings(2, before=1, after=1, rate=2, has_penalty=has_penalty))


def persons(*values: float, scores: list[float] | None = None) -> PooledBoxes:
    rows = torch.tensor(values)[:, None].repeat(1, 3)
    return PooledBoxes(rows, (len(values),), None if scores is None else torch.tensor(scores))


def test_a_window_holds_the_persons_at_the_memory_rate() -> None:
    memory = make_memory()
    for key, value in zip(KEYS, (1.0, 2.0, 3.0, 4.0, 5.0), strict=True):
        memory.write([key], persons(value))
    around = memory.around([KEYS[2], KEYS[0]], CPU)
    assert around.shape == (2, 6, 3)
    assert around[..., 0].tolist() == [[1, 0, 3, 0, 5, 0], [0, 0, 1, 0, 3, 0]]


def test_the_best_persons_of_a_second_are_kept() -> None:
    memory = make_memory()
    memory.write([KEYS[0]], persons(1.0, 2.0, 3.0, scores=[0.5, 0.1, 0.7]))
    assert memory.around([KEYS[2]], CPU)[0, :2, 0].tolist() == [1, 3]


def test_the_penalty_compares_with_the_loss_of_the_step_before() -> None:
    memory = make_memory(has_penalty=True)
    memory.write_step([KEYS[0]], persons(1.0), 4.0)
    memory.write_step([KEYS[4]], persons(1.0), 2.0)
    assert memory.around([KEYS[2]], CPU)[0, [0, 4], 0].tolist() == [0.5, 1.0]


def test_a_resumed_memory_weighs_as_before(tmp_path: Path) -> None:
    memory, resumed = make_memory(has_penalty=True), make_memory(has_penalty=True)
    memory.write_step([KEYS[0]], persons(1.0), 4.0)
    memory.write_step([KEYS[4]], persons(1.0), 2.0)
    resumed.restore(memory.save(tmp_path / "memory_0000002.safetensors"), tmp_path)
    assert torch.equal(resumed.around([KEYS[2]], CPU), memory.around([KEYS[2]], CPU))


@pytest.mark.parametrize("saved", [None, {}])
def test_a_checkpoint_without_a_memory_cannot_be_resumed_with_one(saved: dict | None, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"written without a memory.*--transfer and choose another OUTPUT_DIR"):
        make_memory().restore(saved, tmp_path)


def make_task(interaction_words: list[str]) -> tuple[ActionDetection, torch.nn.Module]:
    cfg = ActionDetection.resolve_config(load_cfg(interaction_words[1], interaction_words[2:]))
    torch.manual_seed(0)
    return ActionDetection.from_cfg(cfg), build_detector(cfg)


def make_batch(second: int) -> ClipBatch:
    generator = torch.Generator().manual_seed(second)
    frames = torch.randint(0, 256, (1, 16, 48, 64, 3), generator=generator, dtype=torch.uint8)
    index = torch.arange(16)[None]
    media = Media(frames, index[:, ::4], index, torch.tensor([[48, 64]]))
    boxes = Boxes(torch.tensor([[4.0, 4, 30, 40]]), (64, 48), scores=torch.tensor([0.9]))
    labelled = Boxes(boxes.xyxy, (64, 48), labels=torch.ones(1, 9, dtype=torch.uint8))
    target = DetectionTarget(labelled if second == 1 else boxes, (64, 48))
    return ClipBatch((ClipKey("a", 1000 * second),), media, (target,))


def test_a_prediction_depends_on_other_seconds_of_its_movie(interaction_words: list[str]) -> None:
    """In two passes it does, whatever the order of the batches; the clip's own frames are the same each time."""
    task, model = make_task(interaction_words)
    torch.nn.init.normal_(model.roi_heads.action.feature_extractor.ia_structure.M_block_2.out.weight)
    batches = [make_batch(second) for second in (2, 4, 6)]
    with torch.inference_mode():
        model.eval()
        scores, reverse, alone = (
            {p.key: p.boxes.scores for p in task.predict(model, order)}
            for order in (batches, batches[::-1], batches[:1])
        )
    key = batches[0].keys[0]
    assert torch.equal(scores[key], reverse[key])
    assert not torch.allclose(scores[key], alone[key])


class OneClip:
    """As much of a dataset as a memory asks for."""

    def __len__(self) -> int:
        return 1

    def key(self, index: int) -> ClipKey:
        return ClipKey("a", 1000)


def test_a_step_leaves_its_persons_and_its_loss_in_the_memory(interaction_words: list[str]) -> None:
    task, model = make_task(interaction_words)
    task.start_training(model, OneClip(), None, Path())
    output = task.train_step(model.train(), make_batch(1), torch.Generator().manual_seed(0))
    task.after_step(output)
    assert task._memory is not None
    window = task._memory.pool.fetch([ClipKey("a", 1000)], before=0, after=0, rate=1)
    assert window.loss.tolist() == pytest.approx([sum(output.losses.values()).item()])
    _, pooled = output.aux
    assert torch.equal(window.features, pooled.features.half())
    assert not pooled.features.requires_grad


def test_a_new_run_begins_with_an_empty_memory(interaction_words: list[str]) -> None:
    task, model = make_task(interaction_words)
    for _ in range(2):
        task.start_training(model, OneClip(), None, Path())
        assert task._memory is not None and task._memory.pool.num_filled == 0
        task.after_step(task.train_step(model, make_batch(1), torch.Generator().manual_seed(0)))


class HalfSecond(OneClip):
    def key(self, index: int) -> ClipKey:
        return ClipKey("a", 1500)


def test_key_frames_between_seconds_are_refused_when_a_set_is_opened(
    interaction_words: list[str], tiny_words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alphaction.tasks.action_detection.build_dataset", lambda cfg, name, is_train: HalfSecond())
    with pytest.raises(DataError, match=r"a@1.5s is not at a whole second"):
        make_task(interaction_words)[0].build_dataset(None, "any", is_train=False)
    assert make_task(tiny_words)[0].build_dataset(None, "any", is_train=False) is not None
