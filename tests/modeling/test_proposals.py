import json
from pathlib import Path

import numpy as np
import pytest
import torch

from alphaction.modeling.roi_heads.action_head.proposals import jitter_boxes, sample_boxes
from alphaction.structures.boxes import Boxes

SIZE = (160, 128)
AMOUNTS = (0.2, 0.1, 0.1, 0.05)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def many_boxes(count: int) -> Boxes:
    left_top = torch.tensor([40.0, 30.0]).repeat(count, 1)
    return Boxes(torch.cat([left_top, left_top + 39], 1), SIZE, labels=torch.arange(count).view(-1, 1))


def test_jitter_equals_the_golden_numbers(golden_dir: Path) -> None:
    given = json.loads((golden_dir / "ops.json").read_text())["box_in"]
    boxes = Boxes(torch.tensor(given["boxes"]), tuple(given["size"]))
    expected = torch.from_numpy(np.load(golden_dir / "ops.npz")["box_random_aug_seed1234"])
    torch.testing.assert_close(jitter_boxes(boxes, AMOUNTS, generator(1234)).xyxy, expected, rtol=0, atol=1e-4)


def test_each_edge_stays_within_its_bounds_and_fills_them() -> None:
    moved = jitter_boxes(many_boxes(2000), AMOUNTS, generator()).xyxy - many_boxes(1).xyxy
    shares = moved / 40
    lowest, highest = torch.tensor([-0.2, -0.1, -0.1, -0.05]), torch.tensor([0.1, 0.05, 0.2, 0.1])
    assert (shares >= lowest - 1e-5).all() and (shares <= highest + 1e-5).all()
    torch.testing.assert_close(shares.amin(0), lowest, rtol=0, atol=0.01)
    torch.testing.assert_close(shares.amax(0), highest, rtol=0, atol=0.01)


def test_jitter_never_turns_a_box_inside_out() -> None:
    moved = jitter_boxes(many_boxes(500), (0.0, 0.9, 0.0, 0.9), generator()).xyxy
    assert (moved[:, 2:] >= moved[:, :2]).all()


@pytest.mark.parametrize("count", [0, 3])
def test_no_jitter_gives_the_same_boxes_and_no_box_gives_none(count: int) -> None:
    boxes = many_boxes(count)
    assert torch.equal(jitter_boxes(boxes, (0, 0, 0, 0), generator()).xyxy, boxes.xyxy)
    assert len(jitter_boxes(boxes, AMOUNTS, generator())) == count


def test_sampling_draws_different_persons_with_their_labels() -> None:
    chosen = sample_boxes(many_boxes(20), 10, generator())
    assert chosen.labels is not None and len(set(chosen.labels.flatten().tolist())) == 10


def test_sampling_depends_on_the_generator_alone() -> None:
    drawn = [sample_boxes(many_boxes(20), 5, generator(seed)).labels for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_few_persons_are_all_kept_in_order() -> None:
    boxes = many_boxes(3)
    assert sample_boxes(boxes, 3, generator()) is boxes
