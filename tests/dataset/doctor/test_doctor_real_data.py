"""The doctor on real data; needs the folder named by ALPHACTION_TEST_DATA."""

import shutil
from pathlib import Path

import pytest

from alphaction.dataset.doctor.check import CheckOptions, Examination, examine
from alphaction.dataset.doctor.finding import Finding

# What is to be said of each odd video; nothing of the others.
VIDEOS = {
    "bigbuckbunny": (),
    "classroom": (),
    "flipping_a_pancake": (),
    "one-by-one-person-detection": (),
    "store-aisle-detection": ("its header says 16.6667 frames a second, by their number they are 14.99",),
    "v_ApplyEyeMakeup_g01_c01": (),
}
AVA_FILES = (
    *("ava_action_list_v2.2.pbtxt", "ava_action_list_v2.2_for_activitynet_2019.pbtxt"),
    *("ava_val_excluded_timestamps_v2.2.csv", "ava_included_timestamps_v2.2.txt", "ava_file_names_trainval_v2.1.txt"),
)


def notable(result: Examination) -> list[Finding]:
    return [finding for finding in result.findings if finding.level != "info"]


def test_pets_passes_as_it_lies_there(real_data: Path) -> None:
    result = examine([str(real_data / "pets")], CheckOptions())
    assert [finding.code for finding in notable(result)] == ["splits-share-videos"]
    assert (result.facts["vtest"].num_frames, result.facts["vtest"].info.fps) == (795, 10)
    assert [len(split.truth.rows) for split in result.splits if split.truth] == [260, 145]


def test_official_ava_passes_but_for_the_movie_that_is_missing(real_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "annotations"
    folder.mkdir()
    (tmp_path / "clips/trainval").mkdir(parents=True)
    for name in AVA_FILES:
        shutil.copy(real_data / "ava_v2.2" / name, folder / name)
    shutil.copy(real_data / "ava_v2.2/ava_val_v2.2_sample_rows.csv", folder / "ava_val_v2.2.csv")
    shutil.copy(real_data / "ava_v2.2/ava_val_predicted_boxes_sample_rows.csv", folder / "ava_val_predicted_boxes.csv")
    result = examine([str(tmp_path)], CheckOptions())
    (split,) = result.splits
    assert split.classes is not None and len(split.classes.labels) == 80
    assert split.classes.labels.groups.counts == (14, 49, 17)
    assert split.source.files.labelmap_file.endswith("activitynet_2019.pbtxt")
    (finding,) = notable(result)
    assert finding.code == "videos-missing" and "ava_val_v2.2.csv, row 1" in finding.text
    assert "1j20qq1JyX4 (row 1)" in finding.text


@pytest.fixture(scope="module")
def odd_videos(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Examination:
    folder = tmp_path_factory.mktemp("odd")
    (folder / "labels.pbtxt").write_text('item { name: "act" id: 1 }\n')
    (folder / "train.csv").write_text("".join(f"{name},0002,0.1,0.1,0.5,0.9,1,1\n" for name in VIDEOS))
    lines = [f"video_root: {real_data / 'video'}", "csv_gt_file: train.csv", "label_file: labels.pbtxt"]
    (folder / "train.yaml").write_text("\n".join(lines) + "\n")
    return examine([str(folder)], CheckOptions())


@pytest.mark.parametrize("name", VIDEOS)
def test_an_odd_video_gets_the_right_message(odd_videos: Examination, name: str) -> None:
    said = [finding.text for finding in notable(odd_videos) if name in finding.file]
    assert name in odd_videos.facts
    assert len(said) == len(VIDEOS[name])
    assert all(part in text and "train.csv, row " in text for part, text in zip(VIDEOS[name], said, strict=True))


def test_sixty_videos_of_one_rate_are_all_opened(real_data: Path, tmp_path: Path) -> None:
    names = sorted(path.stem for path in (real_data / "grid").glob("*.mpg"))
    (tmp_path / "train.csv").write_text("".join(f"{name},0001,0.1,0.1,0.5,0.9,1,1\n" for name in names))
    (tmp_path / "labels.pbtxt").write_text('item { name: "speak" id: 1 }\n')
    lines = [f"video_root: {real_data / 'grid'}", "csv_gt_file: train.csv", "label_file: labels.pbtxt"]
    (tmp_path / "train.yaml").write_text("\n".join(lines) + "\n")
    result = examine([str(tmp_path)], CheckOptions())
    assert len(names) == 60 == len(result.facts)
    # Each video has its transcript beside it, under the same name and another ending.
    assert result.findings == ()
