"""What holds for every structure, whatever its blocks."""

from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from alphaction.config.check import check_cfg
from alphaction.modeling import build_detector
from alphaction.modeling.registry import INTERACTION_AGGREGATION_STRUCTURES
from alphaction.modeling.roi_heads.action_head.base import PooledBoxes
from alphaction.modeling.roi_heads.action_head.interaction import InteractionSpec
from alphaction.modeling.roi_heads.action_head.interaction_block import BlockSpec
from alphaction.structures.boxes import Boxes
from alphaction.utils.errors import ConfigError

IA = "MODEL.IA_STRUCTURE"
DIM, SECONDS, PER_SECOND = 6, 3, 2
LISTS = ["P", "O", "M", "PO", "MP", "OM", "POM", "MMPP", "OPMOPM"]
CASES = list(product(INTERACTION_AGGREGATION_STRUCTURES, LISTS))


def make(structure: str, kinds: str, *, dim_out: int = DIM, dropout: float = 0.0, zero: bool = False) -> nn.Module:
    """Returns a structure with large random weights: what does not depend on them shows nowhere."""
    torch.manual_seed(0)
    layers = (tuple(kinds),) * 2 if structure == "parallel" else tuple((kind,) for kind in kinds)
    spec = InteractionSpec(
        layers=layers,
        dim_in=DIM,
        dim_out=dim_out,
        max_persons=4,
        max_objects=3,
        max_per_second=PER_SECOND,
        seconds_before=1,
        seconds_after=1,
        temporal_position=True,
        block=BlockSpec(dim_inner=8, init_std=0.5, starts_as_shortcut=zero, dropout=dropout, layer_norm=True),
    )
    return INTERACTION_AGGREGATION_STRUCTURES.get(structure)(spec).eval()


def random_boxes(counts: tuple[int, ...], seed: int) -> PooledBoxes:
    generator = torch.Generator().manual_seed(seed)
    return PooledBoxes(torch.rand(sum(counts), DIM, generator=generator), counts)


def random_memory(num_clips: int) -> Tensor:
    return torch.rand(num_clips, SECONDS * PER_SECOND, DIM, generator=torch.Generator().manual_seed(9))


@pytest.mark.parametrize(("structure", "kinds"), CASES)
def test_a_clip_does_not_depend_on_its_neighbours(structure: str, kinds: str) -> None:
    """Clips without a person and without an object are among them."""
    module = make(structure, kinds, dim_out=5)
    persons, objects, memory = random_boxes((3, 0, 1, 2), 1), random_boxes((0, 2, 3, 1), 2), random_memory(4)
    with torch.no_grad():
        together = module(persons, objects, memory)
        parts = zip(persons.features.split(persons.counts), objects.features.split(objects.counts), memory, strict=True)
        alone = [module(PooledBoxes(p, (len(p),)), PooledBoxes(o, (len(o),)), m[None]) for p, o, m in parts]
    assert together.shape == (6, 5)
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("structure", "kinds"), CASES)
def test_it_depends_on_what_its_blocks_look_at_and_on_nothing_else(structure: str, kinds: str) -> None:
    module = make(structure, kinds)
    persons, objects, memory = random_boxes((2, 1), 1), random_boxes((1, 2), 2), random_memory(2)
    others = {"O": objects.features, "M": memory}
    for kind, values in others.items():
        values.requires_grad_()
        gradient = torch.autograd.grad(module(persons, objects, memory).square().sum(), values, allow_unused=True)[0]
        assert (gradient is not None and bool(gradient.any())) == (kind in kinds), kind
    neighbour = persons.features.clone().requires_grad_()
    first = module(PooledBoxes(neighbour, persons.counts), objects, memory)[0].square().sum()
    gradient = torch.autograd.grad(first, neighbour)[0]
    assert bool(gradient[0].any())
    assert bool(gradient[1].any()) == ("P" in kinds)
    assert not gradient[2].any(), "a person of another clip"


@pytest.mark.parametrize(("structure", "kinds"), CASES)
def test_every_parameter_that_trains_gets_a_gradient(structure: str, kinds: str) -> None:
    """Processes of one run wait for each other's gradients; none may be left out, whatever a batch holds."""
    module = make(structure, kinds, dim_out=5, dropout=0.5).train()
    module.freeze_unused()
    for persons, objects in (((2, 1), (1, 0)), ((1, 0), (0, 0))):
        module.zero_grad(set_to_none=True)
        module(random_boxes(persons, 1), random_boxes(objects, 2), random_memory(2)).sum().backward()
        assert [name for name, p in module.named_parameters() if p.requires_grad and p.grad is None] == []
        assert [name for name, p in module.named_parameters() if p.grad is not None and not p.requires_grad] == []


@pytest.mark.parametrize(
    ("structure", "blocks", "unused"),
    [
        ("serial", ["P", "M"], []),
        ("serial", ["M", "P"], ["person_key_dim_reduce"]),
        ("dense", ["O", "P"], ["person_key_dim_reduce"]),
        ("parallel", [["P", "O"], ["P"]], ["O_block_1", "object_dim_reduce"]),
    ],
)
def test_what_no_output_depends_on_does_not_train(
    make_cfg: Callable, structure: str, blocks: list, unused: list[str]
) -> None:
    detector = build_detector(small_interaction(make_cfg, f"{IA}.STRUCTURE", structure, f"{IA}.I_BLOCK_LIST", blocks))
    head = detector.roi_heads.action.feature_extractor.ia_structure
    frozen = {name.split(".")[0] for name, p in head.named_parameters() if not p.requires_grad}
    assert frozen == set(unused)


@pytest.mark.parametrize("structure", list(INTERACTION_AGGREGATION_STRUCTURES))
def test_blocks_that_start_as_shortcuts_look_at_nobody(structure: str) -> None:
    module, persons = make(structure, "POM", dim_out=8, zero=True), random_boxes((2, 1), 1)
    with torch.no_grad():
        seen = module(persons, random_boxes((1, 2), 2), random_memory(2))
        expected = module.person_dim_reduce(persons.features) * (3 if structure == "parallel" else 1)
    torch.testing.assert_close(seen, expected)


def test_persons_beyond_the_slots_are_classified_but_not_looked_at() -> None:
    module = make("serial", "P")
    persons = random_boxes((6,), 1)._replace(scores=torch.tensor([0.9, 0.8, 0.1, 0.7, 0.6, 0.2]))
    values = persons.features.clone().requires_grad_()
    first = module(persons._replace(features=values))[0].sum()
    seen = torch.autograd.grad(first, values)[0].abs().sum(dim=1) > 0
    assert seen.tolist() == [True, True, False, True, True, False]


def small_interaction(make_cfg: Callable, *opts: object):
    sizes = (f"{IA}.ACTIVE", True, f"{IA}.DIM_INNER", 16, f"{IA}.MAX_OBJECT", 2, f"{IA}.LENGTH", (1, 1))
    return make_cfg(*sizes, f"{IA}.DIM_OUT", 24, *opts)


def clips() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 2, 48, 64, generator=generator), torch.randn(2, 3, 8, 48, 64, generator=generator)


def boxes(*corners: list[float]) -> Boxes:
    return Boxes(torch.tensor(corners).reshape(-1, 4), (64, 48))


PERSONS = [boxes([4.0, 4, 30, 40], [20, 8, 60, 44]), boxes()]


@pytest.mark.parametrize("kinds", [["P"], ["O"], ["M"], ["P", "O", "M"]])
@pytest.mark.parametrize("fusion", ["add", "concat"])
def test_a_detector_needs_neither_objects_nor_a_memory(make_cfg: Callable, kinds: list[str], fusion: str) -> None:
    cfg = small_interaction(make_cfg, f"{IA}.I_BLOCK_LIST", kinds, f"{IA}.FUSION", fusion)
    if fusion == "add":
        cfg.merge_from_list([f"{IA}.DIM_OUT", 576])
    check_cfg(cfg)
    detector = build_detector(cfg).eval()
    with torch.no_grad():
        logits = detector(*clips(), PERSONS)
        persons, objects = detector.pool(*clips(), PERSONS, [boxes(), boxes()])
        in_two_steps = detector.classify(persons, objects)
    assert logits.shape == (2, 80)
    torch.testing.assert_close(in_two_steps, logits)
    assert detector(*clips(), [boxes(), boxes()]).shape == (0, 80)


def test_a_detector_gives_its_pooled_persons_when_asked(make_cfg: Callable) -> None:
    detector = build_detector(small_interaction(make_cfg)).eval()
    with torch.no_grad():
        logits, persons = detector(*clips(), PERSONS, with_pooled=True)
        expected, _ = detector.pool(*clips(), PERSONS)
    assert logits.shape == (2, 80)
    assert torch.equal(persons.features, expected.features)


@pytest.mark.parametrize(
    ("opts", "message"),
    [
        ((f"{IA}.FUSION", "add"), "DIM_OUT is 24 and the backbone is 576 channels wide.* Set DIM_OUT 576"),
        ((f"{IA}.DIM_IN", 512), "DIM_IN is 512, but the backbone is 576 channels wide"),
        ((f"{IA}.STRUCTURE", "deep"), 'Unknown interaction structure .*"deep"'),
    ],
)
def test_widths_and_names_that_do_not_fit_are_refused(make_cfg: Callable, opts: tuple, message: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=message):
        build_detector(small_interaction(make_cfg, *opts))


def test_keys_without_effect_are_named(make_cfg: Callable, caplog: pytest.LogCaptureFixture) -> None:
    build_detector(small_interaction(make_cfg, f"{IA}.NO_BIAS", True, f"{IA}.ROI_DIM_REDUCE", False))
    assert "NO_BIAS True has no effect" in caplog.text
    assert "ROI_DIM_REDUCE False has no effect" in caplog.text
