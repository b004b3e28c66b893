"""The report as text."""

from alphaction.checkpoint.report import ClassReport, LoadReport, has_prefix

UNITS = (("stem", ("net.conv1", "net.bn1")), ("res2", ("net.res2",)), ("head", ("head",)))


def test_the_table_counts_tensors_by_unit_and_lists_the_rest():
    report = LoadReport(
        loaded=(("net.conv1.w", "conv1.w"), ("net.bn1.w", "bn1.w"), ("net.res2.a.w", "res2.a.w")),
        skipped=(("epoch", "no tensor but int"),),
        missing=("net.res2.b.w",),
        unexpected=("fc.w",),
        wrong_shape=(("head.w", (80, 4), (15, 4)),),
        ignored=3,
        units=UNITS,
    )
    assert report.table().splitlines() == [
        "part  loaded  of  note",
        "----  ------  --  --------------",
        "stem       2   2",
        "res2       1   2  incomplete",
        "head       0   1  nothing loaded",
        "wrong shape (1):",
        "  head.w: file (80, 4), model (15, 4)",
        "missing in the file (1):",
        "  net.res2.b.w",
        "in the file only (1):",
        "  fc.w",
        "left out (1):",
        "  epoch (no tensor but int)",
        "ignored: 3 num_batches_tracked counters",
    ]
    assert report.incomplete_units() == ["res2", "head"]


def test_long_lists_are_cut_short():
    lines = LoadReport(missing=tuple(f"a.b.{i}" for i in range(25))).table().splitlines()
    assert lines[-1] == "  and 15 more"
    assert sum(line.startswith("  a.b.") for line in lines) == 10


def test_every_conversion_is_listed():
    converted = tuple((f"a.b.{i}", (2, 3), (2, 3, 1), "linear layer as a convolution") for i in range(25))
    assert len(LoadReport(converted=converted).table().splitlines()) == 1 + 25


def test_without_units_the_first_two_words_group():
    report = LoadReport(loaded=(("backbone.slow.a", "a"), ("backbone.fast.a", "b"), ("backbone.slow.b", "c")))
    assert [line.split()[:3] for line in report.table().splitlines()[2:]] == [
        ["backbone.slow", "2", "2"],
        ["backbone.fast", "1", "1"],
    ]


def test_keys_outside_every_unit_have_their_own_row():
    assert "(other)" in LoadReport(missing=("elsewhere.w",), units=UNITS).table()


def test_a_head_kept_on_purpose_is_said():
    assert "kept as they are: 1 tensors of the model's head" in LoadReport(kept=("head.w",), units=UNITS).table()


def test_a_prefix_covers_whole_words_with_or_without_its_final_point():
    assert has_prefix("net.res2.w", ("net.res2.",))
    assert has_prefix("net.res2", ("net.res2",))
    assert not has_prefix("net.res20.w", ("net.res2",))
    assert has_prefix("anything", ("",))


def test_conversions_renames_and_rows_are_said():
    report = LoadReport(
        loaded=(("net.conv1.w", "net.conv1.w"), ("head.w", "head.w")),
        unexpected=("net.fc.w",),
        converted=(("net.conv1.w", (4, 3, 7, 7), (4, 3, 5, 7, 7), "inflated: 1/5 in each of 5 frames"),),
        renamed=(("conv1.w", "net.conv1.w"), ("fc.w", "net.fc.w")),
        idle_renames=("^layer",),
        classes=ClassReport(tuple("abcdefghijkl"), ("x",), ()),
        units=UNITS,
    )
    assert report.table().splitlines()[4:] == [
        "head rows by class name: 12 of 13: a, b, c, d, e, f, g, h, i, j and 2 more; new: x",
        "converted (1):",
        "  net.conv1.w: file (4, 3, 7, 7), model (4, 3, 5, 7, 7), inflated: 1/5 in each of 5 frames",
        "in the file only (1):",
        "  net.fc.w (from fc.w)",
        "renamed (2):",
        "  conv1.w -> net.conv1.w",
        "  fc.w -> net.fc.w",
        "rename rules without a key (1):",
        "  ^layer",
    ]
    assert report.incomplete_units() == []
