from pathlib import Path

import pytest

from alphaction.config.paths_catalog import DatasetCatalog
from alphaction.utils.errors import ConfigError


def test_ava_lies_below_the_data_folder() -> None:
    entry = DatasetCatalog.get("ava_video_val_v2.2")
    assert entry.dataset == "AVAVideoDataset"
    assert entry.arguments["video_root"] == "data/AVA/clips/trainval"
    assert entry.arguments["csv_gt_file"] == "data/AVA/annotations/ava_val_v2.2.csv"


def test_yaml_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "video_root: videos\ncsv_gt_file: /abs/a.csv\nbox_file: ''\ngroups: exclusive\n"
    )
    entry = DatasetCatalog.get(str(tmp_path / "mine.yaml"))
    assert entry.arguments == {
        "video_root": str(tmp_path / "videos"),
        "csv_gt_file": "/abs/a.csv",
        "box_file": "",
        "groups": "exclusive",
    }


def test_registered_name_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DatasetCatalog, "DATASETS", dict(DatasetCatalog.DATASETS))
    DatasetCatalog.register("mine", video_root="mine/videos", eval_file_paths={"labelmap_file": "mine/l.pbtxt"})
    assert DatasetCatalog.get("mine").arguments["labelmap_file"] == "data/mine/l.pbtxt"
    with pytest.raises(ValueError, match="registered twice"):
        DatasetCatalog.register("mine")


def test_catalog_paths_may_be_written_with_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DatasetCatalog, "DATASETS", dict(DatasetCatalog.DATASETS))
    files = {"labelmap_file": "data/mine/l.pbtxt"}
    DatasetCatalog.register("mine", video_root="data/mine/videos", box_file="", eval_file_paths=files)
    entry = DatasetCatalog.get("mine")
    expected = {"video_root": "data/mine/videos", "box_file": "", "labelmap_file": "data/mine/l.pbtxt"}
    assert entry.arguments == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("ava_video_trian_v2.2", None, 'did you mean "ava_video_train_v2.2"?'),
        ("none.yaml", None, "There is no config file"),
        ("a.yaml", "video_root: 3\n", "video_root takes a path, got 3"),
        ("a.yaml", "dataset: [1]\n", "dataset takes the name"),
    ],
)
def test_unusable_entry_is_explained(tmp_path: Path, name: str, text: str | None, expected: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
        name = str(tmp_path / name)
    with pytest.raises(ConfigError) as caught:
        DatasetCatalog.get(name)
    assert expected in str(caught.value)


def test_a_folder_a_file_and_a_list_without_quotes_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text("")
    (tmp_path / "train.csv").write_text("")
    for name, told in (
        (str(tmp_path), f"it is a folder; give a data set YAML file in it, such as {tmp_path}/train.yaml"),
        (str(tmp_path / "train.csv"), "it is a file; give the data set YAML file that names it"),
        ("(mine/train.yaml,)", "has quotes in its parentheses"),
    ):
        with pytest.raises(ConfigError) as caught:
            DatasetCatalog.get(name)
        assert told in str(caught.value)
