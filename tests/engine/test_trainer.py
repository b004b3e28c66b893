import os
import signal

import pytest
import torch
from toy import ToyTask, make_batch, make_toy_trainer

from alphaction.engine.cli import Interrupted, run_tool
from alphaction.engine.hooks import Checkpoint
from alphaction.engine.trainer import Hook, Trainer
from alphaction.structures.clip import ClipKey, SkippedClip
from alphaction.utils.errors import LocalError, UserError


class Diary(Hook):
    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []

    def before_train(self, trainer: Trainer) -> None:
        self.events.append(("before_train", trainer.iteration))

    def before_step(self, trainer: Trainer) -> None:
        self.events.append(("before_step", trainer.iteration))

    def after_step(self, trainer: Trainer) -> None:
        self.events.append(("after_step", trainer.iteration))

    def after_train(self, trainer: Trainer) -> None:
        self.events.append(("after_train", trainer.iteration))


class SignalAt(Hook):
    def __init__(self, iteration: int, number: int) -> None:
        self.iteration, self.number = iteration, number

    def before_step(self, trainer: Trainer) -> None:
        if trainer.iteration == self.iteration:
            os.kill(os.getpid(), self.number)


def test_hooks_are_called_around_finished_steps() -> None:
    diary = Diary()
    trainer = make_toy_trainer([diary], max_iter=2)
    trainer.train()
    assert diary.events == [
        ("before_train", 0),
        ("before_step", 0),
        ("after_step", 1),
        ("before_step", 1),
        ("after_step", 2),
        ("after_train", 2),
    ]
    assert trainer.task.after == [1, 2]


def test_a_run_continued_in_the_middle_ends_with_the_same_weights() -> None:
    whole = make_toy_trainer([], max_iter=6)
    whole.train()
    first = make_toy_trainer([], max_iter=3)
    first.train()
    second = make_toy_trainer([], max_iter=6, start=3)
    second.model.load_state_dict(first.model.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    torch.rand(7)  # whatever was drawn between does not matter
    second.train()
    for expected, found in zip(whole.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(expected, found)


def test_non_finite_loss_names_its_clips_and_changes_no_weight() -> None:
    trainer = make_toy_trainer([], task=ToyTask(break_at=2))
    seen = []

    class Remember(Hook):
        def after_step(self, trainer: Trainer) -> None:
            seen.append([p.clone() for p in trainer.model.parameters()])

    trainer.hooks = [Remember()]
    with pytest.raises(UserError, match=r"not finite in iteration 2 .*movie1@0s, movie1@1s"):
        trainer.train()
    assert all(torch.equal(a, b) for a, b in zip(seen[-1], trainer.model.parameters(), strict=True))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_after_the_running_step_and_says_so(number: int) -> None:
    saved: list[int] = []
    trainer = make_toy_trainer([])
    trainer.hooks = [SignalAt(2, number), Checkpoint(periods=[100], save=lambda final: saved.append(trainer.iteration))]
    with pytest.raises(Interrupted, match=r"after iteration 3\. The run is saved; the same command continues it"):
        trainer.train()
    assert saved == [3]
    assert run_tool(lambda: make_interrupted(number)) == 128 + number


def make_interrupted(number: int) -> None:
    raise Interrupted("stopped", number)


def test_handlers_are_put_back_after_training() -> None:
    before = signal.getsignal(signal.SIGTERM)
    make_toy_trainer([], max_iter=1).train()
    assert signal.getsignal(signal.SIGTERM) is before


def test_checkpoints_come_every_period_and_at_the_end() -> None:
    saved: list[tuple[int, bool]] = []
    trainer = make_toy_trainer([], max_iter=5)
    trainer.hooks = [Checkpoint(periods=[2], save=lambda final: saved.append((trainer.iteration, final)))]
    trainer.train()
    assert saved == [(2, False), (4, False), (5, True)]


def test_too_many_unreadable_videos_stop_the_run() -> None:
    bad = [SkippedClip(ClipKey(name, 0), "zero bytes") for name in ("a", "b")]
    trainer = make_toy_trainer([])
    trainer.loader = [make_batch(0, skipped=(bad[0],)), make_batch(1, skipped=(bad[0], bad[1]))]
    with pytest.raises(LocalError, match=r"2 videos cannot be read, more than DATALOADER\.MAX_BAD_VIDEOS 1: a, b"):
        trainer.train()
    assert trainer.iteration == 1


def test_gradients_are_clipped_to_the_norm() -> None:
    trainer = make_toy_trainer([], max_iter=1)
    trainer.clip_grad_norm = 1e-3
    trainer.train()
    norm = torch.stack([p.grad.norm() for p in trainer.model.parameters()]).norm()
    assert norm <= 1.001e-3 and trainer.record is not None and trainer.record.grad_norm > 1e-3
