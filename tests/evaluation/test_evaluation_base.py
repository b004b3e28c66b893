import json
import math

import pytest

from alphaction.evaluation.base import EvaluationResult, Evaluator, format_primary
from alphaction.utils.errors import DataError


def make_result(**changes) -> EvaluationResult:
    given = {"metrics": {"top1": 0.5, "top5": None}, "primary": "top1", "report": "top1 = 0.5"}
    return EvaluationResult(**{**given, **changes})


def test_metrics_and_own_files_are_written(tmp_path):
    result = make_result(details={"classes": [1]}, files={"own.txt": lambda path: path.write_text("own") and None})
    result.write(tmp_path / "new" / "folder")
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == ["metrics.json", "own.txt"]
    content = json.loads((tmp_path / "new" / "folder" / "metrics.json").read_text())
    assert content == {"primary": "top1", "metrics": {"top1": 0.5, "top5": None}, "details": {"classes": [1]}}


def test_the_primary_metric_must_be_there():
    with pytest.raises(ValueError, match='"mAP" is not one of top1, top5'):
        make_result(primary="mAP")


def test_a_number_json_does_not_know_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        make_result(metrics={"top1": math.nan}).write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"Cannot write the evaluation to .*file"):
        make_result().write(tmp_path / "file")


@pytest.mark.parametrize(("value", "text"), [(0.5, "m = 0.50000000"), (None, "m = none"), (0.0, "m = 0.00000000")])
def test_the_last_line_has_eight_decimals(value, text):
    assert format_primary("m", value) == text


def test_the_contract_has_no_code():
    with pytest.raises(NotImplementedError):
        Evaluator().evaluate([])
