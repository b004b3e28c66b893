import pytest

from alphaction.config import load_cfg
from alphaction.dataset.single_video import open_single_video
from alphaction.structures.clip import ClipKey
from alphaction.structures.labels import LabelMap
from alphaction.utils.errors import DataError

BOX = "0.1,0.1,0.5,0.9"


@pytest.fixture
def open_boxes(tiny_data, tiny_words, tmp_path):
    cfg = load_cfg(tiny_words[1], tiny_words[2:])

    def opened(*rows, opts=()):
        cfg.merge_from_list(list(opts))
        (tmp_path / "boxes.csv").write_text("".join(f"{row}\n" for row in rows))
        return open_single_video(cfg, tiny_data.val_videos[0], tmp_path / "boxes.csv", LabelMap.ava())

    return opened


def test_clips_are_the_key_frames_with_a_good_box(open_boxes):
    dataset = open_boxes(f"val_00,1,{BOX},,0.9", f"val_00,3,{BOX},,0.2", f"val_00,2.5,{BOX},,0.7", f"other,1,{BOX},,1")
    assert [dataset.key(i) for i in range(len(dataset))] == [ClipKey("val_00", 1000), ClipKey("val_00", 2500)]
    sample = dataset[0]
    assert sample.target.frame_size == (192, 128) and sample.target.persons.scores.tolist() == pytest.approx([0.9])


def test_a_box_needs_what_it_needs_in_the_test_of_the_data_set(open_boxes, tiny_data, tmp_path, caplog):
    own = tmp_path / "own.yaml"
    text = tiny_data.val_yaml.read_text().replace("video_root: videos", f"video_root: {tiny_data.root}/videos")
    own.write_text(text + "box_thresh: 0.3\n")
    rows = [f"val_00,{second},{BOX},,{score}" for second, score in ((1, 0.9), (2, 0.4), (3, 0.2))]
    with caplog.at_level("INFO"):
        assert len(open_boxes(*rows, opts=["DATASETS.TEST", (str(own),)])) == 2
    assert "2 boxes of 3 have the score of the data set's box_thresh, 0.3" in caplog.text
    assert len(open_boxes(*rows, opts=["TEST.BOX_THRESH", 0.8, "TEST.BOX_THRESH_OVERRULES", True])) == 1
    assert len(open_boxes(*rows, opts=["DATASETS.TEST", (str(own), str(tiny_data.val_yaml))])) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"other,1,{BOX},,0.9", 'has no row of the video "val_00"; it is about other'),
        (f"val_00,1,{BOX},,0.2", "no box with a score of TEST.BOX_THRESH 0.5; the best of 1 has 0.200"),
        (f"val_00,99,{BOX},,0.9", "outside their video"),
    ],
)
def test_boxes_that_cannot_be_used_say_why(open_boxes, row, message):
    with pytest.raises(DataError) as caught:
        open_boxes(row)
    assert message in str(caught.value)
