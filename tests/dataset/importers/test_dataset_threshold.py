"""What is typed goes before ``box_thresh`` of a dataset file, and that before TEST.BOX_THRESH of the config."""

import logging
from pathlib import Path

import pytest

from alphaction.config.load import dump_cfg
from alphaction.dataset.ava_files import AvaFiles, select_key_frames
from alphaction.dataset.box_threshold import BoxThreshold
from alphaction.engine.flags import Flags
from alphaction.engine.setup import resolve_config
from alphaction.structures.labels import LabelMap
from alphaction.utils.errors import DataError

BOX = "0.1,0.1,0.5,0.5"


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "truth.csv").write_text(f"a,1,{BOX},1,1\na,3,{BOX},1,1\n")
    (tmp_path / "boxes.csv").write_text(f"a,1,{BOX},,0.3\na,2,{BOX},,0.9\na,3,{BOX},,0\n")
    names = {"csv_gt_file": "truth.csv", "box_file": "boxes.csv"}
    return {"video_root": str(tmp_path), **{key: str(tmp_path / name) for key, name in names.items()}}


@pytest.mark.parametrize(("own", "seconds"), [(None, [2]), (0.25, [1, 2]), (0, [1, 2, 3]), (1, [])])
def test_the_data_sets_own_threshold_holds(
    own: float | None, seconds: list[int], arguments: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    files = AvaFiles.from_arguments("set", {**arguments, "box_thresh": own})
    with caplog.at_level(logging.INFO):
        chosen = select_key_frames(files, LabelMap.ava(), False, BoxThreshold(0.8), False)
    assert [key.timestamp_ms // 1000 for key in chosen.keys] == seconds
    source = "TEST.BOX_THRESH 0.8" if own is None else f"the data set's box_thresh {own}"
    assert chosen.dropped[f"person boxes of a score below {source}"] == 3 - len(seconds)
    assert ("as the data set says" in caplog.text) == (own is not None)


@pytest.mark.parametrize("wrong", ["high", True, 2, -0.1, []])
def test_a_threshold_is_a_score(wrong: object, arguments: dict[str, str]) -> None:
    with pytest.raises(DataError, match=r"box_thresh is .*; it takes a score from 0 to 1"):
        AvaFiles.from_arguments("set", {**arguments, "box_thresh": wrong})


@pytest.mark.parametrize(("own", "source"), [(0.25, "as typed; the data set's own 0.25 does not hold"), (None, "")])
def test_a_typed_threshold_holds_for_every_data_set(
    own: float | None, source: str, arguments: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    files = AvaFiles.from_arguments("set", {**arguments, "box_thresh": own})
    with caplog.at_level(logging.INFO):
        chosen = select_key_frames(files, LabelMap.ava(), False, BoxThreshold(0.95, overrules=True), False)
    assert chosen.keys == [] and chosen.dropped["person boxes of a score below TEST.BOX_THRESH 0.95"] == 3
    assert source in caplog.text and bool(source) == ("needs a score of 0.95" in caplog.text)


@pytest.mark.parametrize(
    ("in_file", "typed", "expected"),
    [
        ("0.6", (), BoxThreshold(0.6, overrules=False)),
        ("0.6", ("TEST.BOX_THRESH", "0.5"), BoxThreshold(0.5, overrules=True)),
        ("0.6", ("TEST.BOX_THRESH", "0.6"), BoxThreshold(0.6, overrules=True)),
    ],
)
def test_only_a_threshold_on_the_command_line_counts_as_typed(
    in_file: str, typed: tuple[str, ...], expected: BoxThreshold, tmp_path: Path
) -> None:
    (tmp_path / "run.yaml").write_text(f"TEST: {{BOX_THRESH: {in_file}}}\n")
    cfg = resolve_config(Flags(config_file=str(tmp_path / "run.yaml"), opts=typed)).cfg
    assert BoxThreshold.from_cfg(cfg) == expected


def test_a_typed_threshold_is_kept_in_the_config_of_the_run(tmp_path: Path) -> None:
    dump_cfg(resolve_config(Flags(config_file="", opts=("TEST.BOX_THRESH", "0.5"))).cfg, tmp_path)
    again = resolve_config(Flags(config_file=str(tmp_path / "config.yaml"))).cfg
    assert BoxThreshold.from_cfg(again) == BoxThreshold(0.5, overrules=True)
