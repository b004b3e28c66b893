import itertools
import json
from pathlib import Path

import pytest

from alphaction.config import get_cfg, load_cfg
from alphaction.config.load import dump_cfg, flat_keys
from alphaction.utils.errors import ConfigError

ROOT = Path(__file__).parents[2]
CONTRACT = json.loads((ROOT / "tests/fixtures/contract/cfg_keys.json").read_text())
# Its old default names a feature extractor that never existed.
CHANGED = {"MODEL.ROI_ACTION_HEAD.FEATURE_EXTRACTOR": "2MLPFeatureExtractor"}
RELEASED = sorted(path.stem for path in (ROOT / "config_files").glob("resnet*.yaml"))


@pytest.mark.parametrize("key", sorted(CONTRACT))
def test_alphaction_key_keeps_its_type_and_default(key: str) -> None:
    value = flat_keys(get_cfg())[key]
    assert type(value).__name__ == CONTRACT[key]["type"]
    expected = CHANGED.get(key, CONTRACT[key]["default"])
    assert (list(value) if isinstance(value, tuple) else value) == expected


def test_contract_has_all_113_keys() -> None:
    assert len(CONTRACT) == 113


def test_every_key_has_a_comment_above_it() -> None:
    lines = (ROOT / "alphaction/config/defaults.py").read_text().splitlines()
    bare = []
    for above, line in itertools.pairwise(lines):
        is_leaf = line.startswith("_C.") and "CN()" not in line
        if is_leaf and not above.startswith(("#", "_C.")):
            bare.append(line)
    assert bare == []


def test_six_released_configurations_exist_and_load() -> None:
    assert RELEASED == [
        "resnet101_8x8f_baseline",
        "resnet101_8x8f_denseserial",
        "resnet50_4x16f_baseline",
        "resnet50_4x16f_denseserial",
        "resnet50_4x16f_parallel",
        "resnet50_4x16f_serial",
    ]
    for name in RELEASED:
        cfg = load_cfg(ROOT / "config_files" / f"{name}.yaml")
        assert name == cfg.OUTPUT_DIR.split("/")[-1]
        assert cfg.INPUT.FRAME_NUM == 64 and cfg.MODEL.BACKBONE.FROZEN_BN


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (
            "resnet50_4x16f_baseline",
            {"INPUT.TAU": 16, "INPUT.ALPHA": 8, "SOLVER.STEPS": (50000, 70000), "SOLVER.MAX_ITER": 90000},
        ),
        (
            "resnet101_8x8f_denseserial",
            {
                "INPUT.TAU": 8,
                "INPUT.ALPHA": 4,
                "SOLVER.STEPS": (70000, 90000),
                "SOLVER.MAX_ITER": 110000,
                "SOLVER.IA_LR_FACTOR": 10.0,
                "SOLVER.WEIGHT_DECAY": 1e-7,
                "MODEL.IA_STRUCTURE.STRUCTURE": "dense",
                "MODEL.IA_STRUCTURE.DIM_OUT": 2304,
                "MODEL.BACKBONE.CONV_BODY": "Slowfast-Resnet101",
            },
        ),
        (
            "resnet50_4x16f_parallel",
            {"MODEL.IA_STRUCTURE.I_BLOCK_LIST": [["P", "O", "M"], ["P", "O", "M"]]},
        ),
    ],
)
def test_released_values(name: str, values: dict) -> None:
    flat = flat_keys(load_cfg(ROOT / "config_files" / f"{name}.yaml"))
    assert {key: flat[key] for key in values} == values


def test_options_are_read_as_typed_on_the_command_line() -> None:
    words = ["SOLVER.STEPS", "(560000, 720000)", "SOLVER.BASE_LR", "1", "OUTPUT_DIR", "0012", "SOLVER.MAX_ITER", "9"]
    cfg = load_cfg(None, words)
    assert cfg.SOLVER.STEPS == (560000, 720000)
    assert cfg.SOLVER.BASE_LR == 1.0 and isinstance(cfg.SOLVER.BASE_LR, float)
    assert cfg.OUTPUT_DIR == "0012" and cfg.SOLVER.MAX_ITER == 9


def test_one_name_is_a_list_of_one() -> None:
    for path in (None, ROOT / "config_files/demo.yaml"):  # over an empty list and over one with a name
        assert load_cfg(path, ["DATASETS.TRAIN", "mine/train.yaml"]).DATASETS.TRAIN == ("mine/train.yaml",)


def test_misspelt_keys_are_all_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        load_cfg(None, ["SOLVER.STEP", "(1,)", "SOLVER.MAXITER", "3"])
    message = str(caught.value)
    assert 'Unknown config key "SOLVER.STEP"; did you mean "SOLVER.STEPS"?' in message
    assert 'did you mean "SOLVER.MAX_ITER"?' in message


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["SOLVER.MAX_ITER", "abc"], "SOLVER.MAX_ITER takes a value such as 75000 (int), got 'abc'"),
        (["INPUT.COLOR_JITTER", "1"], "INPUT.COLOR_JITTER takes a value such as False (bool), got 1"),
        (["SOLVER.MAX_ITER"], "pairs of KEY VALUE"),
        (["--transfer", "1"], "Flags go before"),
        (["SOLVER.GAMMA", "1", "--dry-run"], "Flags go before the KEY VALUE pairs: --dry-run"),
        (["SOLVER.GAMMA=0.5"], "Write SOLVER.GAMMA 0.5: a key and its value are two words"),
        (["SOLVER.STEPS", "never"], "SOLVER.STEPS takes a value such as (33750, 67500) (tuple), got 'never'"),
        (["MODEL.BACKBONE", "3"], 'Unknown config key "MODEL.BACKBONE"'),
    ],
)
def test_bad_option_is_explained(words: list[str], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_cfg(None, words)
    assert expected in str(caught.value)


def test_base_files_are_overlaid_in_order(tmp_path: Path) -> None:
    (tmp_path / "low.yaml").write_text("SOLVER: {BASE_LR: 1e-7, MAX_ITER: 5}\n")
    (tmp_path / "high.yaml").write_text("_BASE_: low.yaml\nSOLVER: {MAX_ITER: 7}\n")
    cfg = load_cfg(tmp_path / "high.yaml", ["SOLVER.GAMMA", "0.5"])
    assert (cfg.SOLVER.BASE_LR, cfg.SOLVER.MAX_ITER, cfg.SOLVER.GAMMA) == (1e-7, 7, 0.5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("_BASE_: a.yaml\n", "leads back"),
        ("- 1\n", "must hold keys and values"),
        ("SOLVER: {MAX_ITER: [\n", "Cannot read the config file"),
        ("_BASE_: none.yaml\n", "There is no config file"),
    ],
)
def test_unusable_file_is_explained(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError, match=expected):
        load_cfg(tmp_path / "a.yaml")


def test_dumped_config_loads_as_the_same_config(tmp_path: Path) -> None:
    cfg = load_cfg(ROOT / "config_files/resnet50_4x16f_parallel.yaml", ["SOLVER.STEPS", "()"])
    assert load_cfg(dump_cfg(cfg, tmp_path)) == cfg


def test_a_node_written_as_a_value_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("SOLVER: 3\n")
    with pytest.raises(ConfigError, match="Unknown config key"):
        load_cfg(tmp_path / "a.yaml")
