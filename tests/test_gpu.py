"""What only a CUDA device can show; run with `pytest -m gpu`."""

from pathlib import Path

import pytest
import torch

from alphaction.config import load_cfg
from alphaction.engine.cli import run_tool
from alphaction.engine.flags import parse_test_flags, parse_train_flags
from alphaction.engine.run import test as run_test
from alphaction.engine.run import train
from alphaction.modeling import build_detector
from alphaction.structures.boxes import Boxes

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]


@pytest.mark.parametrize("words_name", ["tiny_words", "interaction_words"])
@pytest.mark.parametrize("amp", ["off", "bf16", "fp16"])
def test_a_run_trains_tests_and_resumes_on_the_device(
    amp: str, words_name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    words = [*request.getfixturevalue(words_name), "DEVICE", "cuda", "SOLVER.AMP", amp, "OUTPUT_DIR", str(tmp_path)]
    assert run_tool(lambda: train(parse_train_flags(["--skip-val-in-train", *words]))) == 0
    assert (tmp_path / "inference/val/metrics.json").exists()
    assert run_tool(lambda: run_test(parse_test_flags(words))) == 0
    longer = [*words, "SOLVER.SCHEDULER", "warmup_multi_step", "SOLVER.STEPS", "()", "SOLVER.MAX_ITER", "6"]
    assert run_tool(lambda: train(parse_train_flags(["--adjust-lr", "--skip-val-in-train", *longer]))) == 0


@pytest.mark.parametrize("amp", ["off", "bf16", "fp16"])
def test_fine_tuning_releases_averages_and_resumes_on_the_device(
    amp: str, tiny_words: list[str], tmp_path: Path
) -> None:
    words = [
        *tiny_words,
        *("DEVICE", "cuda", "SOLVER.AMP", amp, "OUTPUT_DIR", str(tmp_path), "SOLVER.OPTIMIZER", "adamw"),
        *(
            "SOLVER.BASE_LR",
            "1e-3",
            "SOLVER.EMA_DECAY",
            "0.9",
            "SOLVER.SAVE_BEST",
            "True",
            "SOLVER.CLIP_GRAD_NORM",
            "1.0",
        ),
        *("FINETUNE.STRATEGY", "adaptive", "FINETUNE.EPOCH_ITERS", "2", "FINETUNE.LOG_GRAD_NORMS", "True"),
        *("FINETUNE.ADAPTIVE.PATIENCE", "1", "FINETUNE.ADAPTIVE.FIRST_EPOCH", "0"),
        *("FINETUNE.ADAPTIVE.MIN_IMPROVEMENT", "1.0", "SOLVER.SCHEDULER", "plateau"),
    ]
    assert run_tool(lambda: train(parse_train_flags([*words, "SOLVER.MAX_ITER", "3"]))) == 0
    frozen = torch.load(tmp_path / "model_final.pth", weights_only=True)["model"][
        "backbone.slow.res_nl3.res_0.btnk.conv1.conv.weight"
    ]
    assert run_tool(lambda: train(parse_train_flags([*words, "SOLVER.MAX_ITER", "8"]))) == 0
    parts = torch.load(tmp_path / "model_final.pth", weights_only=True)
    assert parts["finetune"]["trained"] == ["res3", "res4", "res5", "head"]
    assert not torch.equal(parts["model"]["backbone.slow.res_nl3.res_0.btnk.conv1.conv.weight"], frozen)
    assert not torch.equal(
        parts["ema"]["roi_heads.action.predictor.cls_score.weight"],
        parts["model"]["roi_heads.action.predictor.cls_score.weight"],
    )


@pytest.mark.parametrize("words_name", ["tiny_words", "interaction_words"])
def test_the_device_gives_the_logits_of_the_cpu(words_name: str, request: pytest.FixtureRequest) -> None:
    words = request.getfixturevalue(words_name)
    torch.manual_seed(0)
    model = build_detector(load_cfg(words[1], [*words[2:], "MODEL.IA_STRUCTURE.USE_ZERO_INIT_CONV", False])).eval()
    slow, fast = torch.randn(1, 3, 4, 64, 96), torch.randn(1, 3, 16, 64, 96)
    boxes = [Boxes(torch.tensor([[4.0, 4, 40, 60], [30, 8, 90, 63]]), (96, 64))]
    on_device = [entry.to("cuda") for entry in boxes]
    with torch.inference_mode():
        expected = model(slow, fast, boxes, boxes)
        model = model.cuda()
        found = model(slow.cuda(), fast.cuda(), on_device, on_device)
    assert torch.allclose(found.cpu(), expected, atol=1e-2)
