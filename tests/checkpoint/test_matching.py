"""Which file key goes to which model key."""

import json
from pathlib import Path

import pytest

from alphaction.checkpoint.conversion import Conversion
from alphaction.checkpoint.matching import match
from alphaction.utils.errors import CheckpointError

FIXTURES = Path(__file__).parents[1] / "fixtures"
GOLDEN = json.loads((FIXTURES / "golden/checkpoint_key_matching.json").read_text())
HEAD = ("roi_heads.",)


def shapes(*keys, shape=(2, 3)):
    return dict.fromkeys(keys, shape)


def run_golden(name):
    case = GOLDEN[name]
    return case, match(
        shapes(*case["loaded_keys"]), shapes(*case["model_keys"]), head_prefixes=HEAD, no_head=case["no_head"]
    )


@pytest.mark.parametrize("name", ["exact", "exact_no_head", "module_prefix", "no_backbone_prefix"])
def test_golden_cases_load_the_same_keys(name):
    case, report = run_golden(name)
    found = {key: file_key.removeprefix("module.") for key, file_key in report.loaded}
    assert found == {key: file_key for key, file_key in case["result"].items() if file_key}


def test_short_suffixes_are_refused_with_their_candidates():
    with pytest.raises(CheckpointError) as error:
        run_golden("short_suffix")
    assert "conv.weight: backbone.slow.res_nl1.res_0.btnk.conv1.conv.weight, backbone.fast.Tconv1" in str(error.value)


def test_no_head_leaves_the_head_out_even_under_bare_names():
    _, report = run_golden("headless_names_no_head")
    assert report.loaded == (("backbone.slow.conv1.weight", "slow.conv1.weight"),)
    assert set(report.unexpected) == {"fc1.weight", "cls_score.weight"}
    assert len(report.missing) == 3
    assert len(report.kept) == 2


def test_a_partial_file_is_reported_as_such():
    _, report = run_golden("partial")
    assert len(report.loaded) == 2
    assert len(report.missing) == 4


@pytest.mark.parametrize("config", sorted(path.stem for path in (FIXTURES / "contract/state_dict_keys").glob("*.txt")))
def test_a_whole_backbone_without_its_prefix_finds_every_place(config):
    lines = (FIXTURES / f"contract/state_dict_keys/{config}.txt").read_text().splitlines()
    model = {key: tuple(map(int, shape.split("x"))) for key, shape in (line.split("\t") for line in lines)}
    backbone = {key: shape for key, shape in model.items() if key.startswith("backbone.")}
    file = {key.removeprefix("backbone."): shape for key, shape in backbone.items()}
    report = match({**file, "fc.weight": (400, 2304)}, model, head_prefixes=HEAD, no_head=True)
    assert {key: f"backbone.{file_key}" for key, file_key in report.loaded} == {key: key for key in backbone}
    assert report.unexpected == ("fc.weight",)
    assert report.missing == ()


def test_only_a_leading_module_is_stripped():
    report = match(shapes("module.a.module.w"), shapes("a.module.w"))
    assert report.loaded == (("a.module.w", "module.a.module.w"),)
    assert match(shapes("a.module.w"), shapes("a.w")).loaded == ()


def test_the_same_key_with_and_without_module_is_refused():
    with pytest.raises(CheckpointError, match=r'both "a.w" and "module.a.w"'):
        match(shapes("a.w", "module.a.w"), shapes("a.w"))


def test_a_suffix_ends_between_two_words():
    report = match(shapes("conv1.weight"), shapes("fast.Tconv1.weight"))
    assert report.loaded == ()
    assert report.unexpected == ("conv1.weight",)


def test_the_longest_suffix_wins_and_the_shorter_key_goes_elsewhere():
    report = match(shapes("conv.w", "block.conv.w"), shapes("net.conv.w", "net.block.conv.w"))
    assert dict(report.loaded) == {"net.conv.w": "conv.w", "net.block.conv.w": "block.conv.w"}


def test_an_exactly_named_tensor_is_not_given_away_a_second_time():
    report = match(shapes("a.w"), shapes("a.w", "net.a.w"))
    assert report.loaded == (("a.w", "a.w"),)
    assert report.missing == ("net.a.w",)


def test_a_second_choice_is_never_made():
    report = match(shapes("b.a.w", "a.w"), shapes("b.a.w", "net.b.a.w"))
    assert report.loaded == (("b.a.w", "b.a.w"),)
    assert report.missing == ("net.b.a.w",)
    assert report.unexpected == ("a.w",)


def test_one_file_key_for_two_places_is_refused_even_if_one_shape_fits():
    with pytest.raises(CheckpointError, match=r"conv1.w: slow.conv1.w, fast.conv1.w"):
        match({"conv1.w": (4,)}, {"slow.conv1.w": (8,), "fast.conv1.w": (4,)})


def test_a_pair_of_other_shape_is_reported_and_not_loaded():
    report = match({"cls.w": (80, 4), "a.w": (1,)}, {"cls.w": (15, 4), "a.w": (1,)})
    assert report.loaded == (("a.w", "a.w"),)
    assert report.wrong_shape == (("cls.w", (80, 4), (15, 4)),)
    assert report.missing == report.unexpected == ()


@pytest.mark.parametrize("counter_in", ["file", "model"])
def test_a_batch_counter_on_one_side_is_no_difference(counter_in):
    with_counter, without = shapes("bn.weight", "bn.num_batches_tracked"), shapes("bn.weight")
    file, model = (with_counter, without) if counter_in == "file" else (without, with_counter)
    report = match(file, model)
    assert report.ignored == 1
    assert report.is_exact


def test_no_head_names_what_it_left_out_of_the_file():
    report = match(shapes("module.roi_heads.w", "a.w"), shapes("roi_heads.w", "a.w"), head_prefixes=HEAD, no_head=True)
    assert report.skipped == (("module.roi_heads.w", "--no-head"),)
    assert report.kept == ("roi_heads.w",)


def test_a_batch_norm_never_takes_the_bias_of_a_convolution_that_bears_its_name():
    """In SyncNet's file the layers at 4, 8, ... are convolutions, in the network of the same numbers batch norms."""
    file = {"audio.4.weight": (192, 64, 3, 3), "audio.4.bias": (192,), "audio.5.weight": (192,), "audio.5.bias": (192,)}
    model = {"net.audio.4.weight": (192,), "net.audio.4.bias": (192,), "net.audio.4.running_mean": (192,)}
    report = match(file, {**model, "net.audio.5.weight": (192,), "net.audio.5.bias": (192,)})
    assert {key for key, _ in report.loaded} == {"net.audio.5.weight", "net.audio.5.bias"}
    assert report.wrong_shape == (("net.audio.4.weight", (192, 64, 3, 3), (192,)),)
    assert report.skipped == (("audio.4.bias", "the weight beside it has another shape"),)
    assert set(report.missing) == {"net.audio.4.bias", "net.audio.4.running_mean"}


def test_a_convolution_never_takes_the_bias_of_a_batch_norm_that_bears_its_name():
    report = match({"a.4.weight": (8,), "a.4.bias": (8,)}, {"a.4.weight": (8, 3, 1, 1), "a.4.bias": (8,)})
    assert report.loaded == () and report.missing == ("a.4.bias",)


def test_a_bias_of_another_shape_leaves_its_weight():
    report = match({"a.weight": (8, 3), "a.bias": (1, 8)}, {"a.weight": (8, 3), "a.bias": (8,)})
    assert report.loaded == (("a.weight", "a.weight"),)


def test_a_conversion_fills_what_a_copy_does_not():
    def convert(key, file, model):
        return Conversion("made flat", lambda value, _: value.flatten()) if file != model else None

    report = match({"a.w": (2, 3), "b.w": (4,)}, {"a.w": (6,), "b.w": (4,)}, convert=convert)
    assert report.loaded == (("a.w", "a.w"), ("b.w", "b.w"))
    assert report.converted == (("a.w", (2, 3), (6,), "made flat"),)
    assert report.wrong_shape == ()
