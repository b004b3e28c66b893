from pathlib import Path

import pytest

from alphaction.structures.labels import ClassGroups, LabelMap, load_label_map
from alphaction.utils.errors import DataError

ITEM = 'item {\n  name: "stand"\n  id: 12\n}\nitem {\n  name: "walk"\n  id: 14\n}\n'
LABEL = """label {
  name: "bend/bow (at the waist)"
  label_id: 1
  label_type: PERSON_MOVEMENT
}
label { name: "carry" label_id: 17 label_type: OBJECT_MANIPULATION }
label { name: 'watch' label_id: 80 label_type: PERSON_INTERACTION }
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_item_dialect_gives_one_multilabel_group(tmp_path: Path) -> None:
    labels = load_label_map(write(tmp_path / "l.pbtxt", ITEM))
    assert labels == LabelMap((12, 14), ("stand", "walk"), ClassGroups(object=(0, 1)))


def test_label_dialect_gives_its_groups(tmp_path: Path) -> None:
    labels = load_label_map(write(tmp_path / "l.pbtxt", LABEL))
    assert labels.ids == (1, 17, 80)
    assert labels.groups == ClassGroups((0,), (1,), (2,))


def test_both_dialects_mix_in_one_file_and_are_sorted_by_id(tmp_path: Path) -> None:
    labels = load_label_map(write(tmp_path / "l.pbtxt", ITEM + 'label { name: "x" label_id: 3 }\n'))
    assert labels.ids == (3, 12, 14) and labels.names[0] == "x"


@pytest.mark.parametrize(
    ("text", "ids", "names"),
    [
        ("walk\nwave hand\n", (1, 2), ("walk", "wave hand")),
        ("\ufeff# classes\nwalk\n\nrun\n", (1, 2), ("walk", "run")),
        ("7 walk\n3: wave\n", (3, 7), ("wave", "walk")),
    ],
)
def test_plain_list(tmp_path: Path, text: str, ids: tuple, names: tuple) -> None:
    labels = load_label_map(write(tmp_path / "l.txt", text))
    assert (labels.ids, labels.names) == (ids, names)


def test_groups_can_be_given(tmp_path: Path) -> None:
    path = write(tmp_path / "l.pbtxt", ITEM)
    assert load_label_map(path, "exclusive").groups == ClassGroups(pose=(0, 1))
    assert load_label_map(path, {"pose": [14], "person": [12]}).groups == ClassGroups(pose=(1,), person=(0,))


@pytest.mark.parametrize(
    ("text", "groups", "expected"),
    [
        ("", None, "holds no class"),
        (ITEM + 'item { name: "run" id: 12 }', None, 'id 12 to "stand" and "run"'),
        ('item { name: "run" }', None, "block 1 needs a name and an id"),
        ('items = { "a" }', None, "neither a pbtxt"),
        (ITEM, "both", 'use "exclusive", "multilabel"'),
        (ITEM, {"pose": [12]}, "each must appear once"),
        (ITEM, {"poses": [12, 14]}, "Unknown group poses"),
        (LABEL + ITEM, None, "a class without one"),
    ],
)
def test_unusable_label_file_is_explained(tmp_path: Path, text: str, groups, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        load_label_map(write(tmp_path / "l.pbtxt", text), groups)
    assert expected in str(caught.value) and "l.pbtxt" in str(caught.value)


def test_missing_label_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.pbtxt"):
        load_label_map(tmp_path / "none.pbtxt")


def test_subset_renumbers_columns_and_keeps_groups() -> None:
    subset = LabelMap.ava().subset([80, 1, 20])
    assert subset.ids == (1, 20, 80)
    assert subset.groups == ClassGroups((0,), (1,), (2,))
    with pytest.raises(DataError, match=r"\[81\]"):
        LabelMap.ava().subset([81])


def test_ava_has_its_groups() -> None:
    assert LabelMap.ava().groups.counts == (14, 49, 17)
