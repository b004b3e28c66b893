import pytest
import torch

from alphaction.engine.flags import parse_test_flags, parse_train_flags
from alphaction.engine.launch import launched, world_size_from_env
from alphaction.utils.errors import ConfigError


def test_one_process_runs_without_a_group() -> None:
    with launched("cpu") as process:
        assert (process.rank, process.world_size, process.device) == (0, 1, torch.device("cpu"))
        assert not torch.distributed.is_initialized()


@pytest.mark.parametrize("name", ["gpu", "", "cuda:99" if torch.cuda.is_available() else "cuda"])
def test_unknown_device_is_explained(name: str) -> None:
    with pytest.raises(ConfigError, match=r"DEVICE|GPU"), launched(name):
        pass


def test_world_size_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert world_size_from_env() == 4


def test_flags_of_the_guide_are_read() -> None:
    words = "--config-file a.yaml --transfer --no-head --use-tfboard --local-rank=1 SOLVER.STEPS (1,2) OUTPUT_DIR x"
    flags = parse_train_flags(words.split())
    assert (flags.config_file, flags.transfer, flags.no_head, flags.use_tfboard) == ("a.yaml", True, True, True)
    assert flags.opts == ("SOLVER.STEPS", "(1,2)", "OUTPUT_DIR", "x")
    assert (flags.seed, flags.adjust_lr, flags.dry_run) == (2, False, False)


def test_both_spellings_of_local_rank_are_accepted() -> None:
    for word in ("--local_rank=3", "--local-rank=3"):
        assert parse_test_flags([word, "--config-file", "a.yaml"]).config_file == "a.yaml"


def test_an_unknown_flag_is_refused() -> None:
    with pytest.raises(SystemExit):
        parse_train_flags(["--transfr"])
