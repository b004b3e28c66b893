import argparse

import numpy as np

from alphaction.benchmark.evaluation import add_arguments, make_arrays, run


def test_a_small_run_reports_every_step():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    report = run(parser.parse_args(["--keyframes", "40", "--csv-rows", "500"]))
    lines = report.splitlines()
    assert lines[0].startswith("40 key frames, ")
    assert lines[2].split() == ["step", "scores", "CPU", "s", "peak", "MB"]
    assert len(lines) == 9
    assert lines[-1].split()[:5] == ["reading", "a", "result", "file", "500"]


def test_the_default_is_the_size_of_the_validation_set_and_seeded():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args([])
    assert args.keyframes == 57_408
    _, boxes, _, scores = make_arrays(100, 3)
    _, again, _, _ = make_arrays(100, 3)
    assert np.array_equal(boxes, again)
    assert scores.shape == (len(boxes), 80)
