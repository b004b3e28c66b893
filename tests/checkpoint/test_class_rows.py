"""Rows of a head by class name."""

import pytest
import torch

from alphaction.checkpoint.class_rows import pair_class_rows
from alphaction.utils.errors import CheckpointError

KEYS = ("cls.weight", "cls.bias")


def taken_over(names: list[str], file_names: list[str]) -> list[float]:
    """Row numbers of the file, -1 for the model's own."""
    rows = pair_class_rows(KEYS, names, file_names)
    found = rows.conversion("cls.weight", (len(file_names), 2), (len(names), 2))
    assert found is not None
    file = torch.arange(len(file_names))[:, None].expand(-1, 2).float()
    return found.apply(file, torch.full((len(names), 2), -1.0))[:, 0].tolist()


def test_rows_go_to_the_classes_of_their_names() -> None:
    assert taken_over(["stand", "hop", "walk"], ["run", "walk", "stand"]) == [2, -1, 1]


def test_the_same_names_in_another_order_are_no_copy_by_position() -> None:
    assert taken_over(["a", "b", "c"], ["b", "c", "a"]) == [2, 0, 1]


def test_capitals_spaces_and_underscores_make_no_difference() -> None:
    assert taken_over(["Shake_Hands ", "sit  down"], ["SIT DOWN", "shake hands"]) == [1, 0]
    assert taken_over(["sit", "sit-down"], ["sit down", "sit"]) == [1, -1]


def test_the_model_s_own_tensor_is_not_changed() -> None:
    found = pair_class_rows(KEYS, ["a"], ["a", "b"]).conversion("cls.bias", (2,), (1,))
    initial = torch.zeros(1)
    assert found.apply(torch.ones(2, dtype=torch.float16), initial).tolist() == [1.0] and initial.item() == 0


def test_the_report_says_what_is_reused_new_and_left_over() -> None:
    report = pair_class_rows(KEYS, ["stand", "hop", "walk"], ["run", "Walk", "stand"]).report()
    assert (report.reused, report.new, report.left_over) == (("stand", "walk"), ("hop",), ("run",))
    assert report.lines() == [
        "head rows by class name: 2 of 3: stand, walk; new: hop",
        "  classes of the file only: run",
    ]
    assert pair_class_rows(KEYS, ["a"], ["A"]).report().lines() == ["head rows by class name: 1 of 1: a"]


def test_no_common_class_is_refused_with_the_way_out() -> None:
    with pytest.raises(CheckpointError, match=r"No class of this run(.|\n)*--no-head"):
        pair_class_rows(KEYS, ["hop"], ["run", "walk"])


@pytest.mark.parametrize(("names", "file_names", "side"), [(["a b", "A_b"], ["c"], "run"), (["c"], ["a", "A"], "file")])
def test_two_classes_of_one_name_are_refused(names: list[str], file_names: list[str], side: str) -> None:
    with pytest.raises(CheckpointError, match=f"two classes of the {side} have the same"):
        pair_class_rows(KEYS, names, file_names)


def test_a_file_with_other_rows_than_classes_is_refused() -> None:
    rows = pair_class_rows(KEYS, ["a", "b"], ["a", "b", "c"])
    with pytest.raises(CheckpointError, match=r"classes are 3, but cls.weight has the shape \(80, 4\)"):
        rows.conversion("cls.weight", (80, 4), (2, 4))
    with pytest.raises(CheckpointError, match=r"not one row for each of 2 classes"):
        rows.conversion("cls.weight", (3, 4), (80, 4))


def test_rows_of_another_width_do_not_fit() -> None:
    assert pair_class_rows(KEYS, ["a"], ["a", "b"]).conversion("cls.weight", (2, 8), (1, 4)) is None


def test_a_model_that_names_no_rows_is_refused() -> None:
    with pytest.raises(CheckpointError, match="does not say which tensors have one row a class"):
        pair_class_rows((), ["a"], ["b"])
