"""How many boxes of each class there are to train on: counted from an open training set, or from its files."""

import logging
from pathlib import Path

import pytest

from alphaction.config import get_cfg
from alphaction.dataset.build import build_dataset
from alphaction.dataset.datasets.synthetic import SyntheticFiles
from alphaction.dataset.training_counts import count_training_boxes
from alphaction.structures.labels import load_label_map


def cfg_of(*names: str):
    cfg = get_cfg()
    cfg.merge_from_list(["DATASETS.TRAIN", names])
    return cfg


def test_an_open_set_and_its_files_have_the_same_counts(tiny_data: SyntheticFiles) -> None:
    cfg, labels = cfg_of(str(tiny_data.train_yaml)), load_label_map(tiny_data.root / "labels.pbtxt")
    opened = count_training_boxes(cfg, labels, build_dataset(cfg, str(tiny_data.train_yaml), True))
    read = count_training_boxes(cfg, labels, None)
    assert opened is not None and read is not None
    assert opened.tolist() == read.tolist() and sum(read.tolist()) > 0


def test_excluded_key_frames_and_other_classes_are_not_counted(tmp_path: Path) -> None:
    box = "0.1,0.1,0.5,0.5"
    (tmp_path / "truth.csv").write_text(f"a,1,{box},1,0\na,1,{box},3,0\na,2,{box},3,0\na,3,{box},4,0\n")
    (tmp_path / "out.csv").write_text("a,2\n")
    (tmp_path / "labels.txt").write_text("one\ntwo\nthree\nfour\n")
    text = "video_root: .\ncsv_gt_file: truth.csv\nexclusion_file: out.csv\nlabel_file: labels.txt\n"
    (tmp_path / "set.yaml").write_text(text + "keep_classes: [1, 2, 3]\n")
    labels = load_label_map(tmp_path / "labels.txt").subset([1, 2, 3])
    name = str(tmp_path / "set.yaml")
    counts = count_training_boxes(cfg_of(name, name), labels, None)
    assert counts is not None and counts.tolist() == [2, 0, 2]


def test_a_training_set_that_is_not_there_is_no_mistake_of_a_test(
    tiny_data: SyntheticFiles, caplog: pytest.LogCaptureFixture
) -> None:
    labels = load_label_map(tiny_data.root / "labels.pbtxt")
    with caplog.at_level(logging.INFO):
        assert count_training_boxes(cfg_of("ava_video_train_v2.2"), labels, None) is None
    assert "will not say how many training boxes" in caplog.text
    assert count_training_boxes(cfg_of(), labels, None) is None
