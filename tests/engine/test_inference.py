import pytest
import torch
from toy import ToyTask, make_batch, make_toy_trainer

from alphaction.engine.inference import run_inference
from alphaction.structures.clip import ClipKey, SkippedClip
from alphaction.utils.errors import LocalError

CPU = torch.device("cpu")


def test_predictions_are_kept_by_clip_and_skipped_clips_named() -> None:
    model = make_toy_trainer([]).model
    bad = SkippedClip(ClipKey("broken", 0), "zero bytes")
    loader = [make_batch(0), make_batch(1, num_clips=0, skipped=(bad,)), make_batch(2)]
    found = run_inference(ToyTask(), model, loader, CPU, max_bad_videos=1)
    assert found is not None and not model.training
    assert sorted(key.video for key in found.predictions) == ["movie0", "movie0", "movie2", "movie2"]
    assert "broken" in found.skipped.summary()


def test_too_many_unreadable_videos_stop_the_evaluation() -> None:
    bad = SkippedClip(ClipKey("broken", 0), "zero bytes")
    with pytest.raises(LocalError, match="broken"):
        run_inference(ToyTask(), make_toy_trainer([]).model, [make_batch(0, skipped=(bad,))], CPU, max_bad_videos=0)
