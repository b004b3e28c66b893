"""The 40 small structures of the golden numbers: kinds, layer norm, temporal positions, and clips without objects."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_model import FOLDER, WEIGHTS

from alphaction.modeling.registry import INTERACTION_AGGREGATION_STRUCTURES
from alphaction.modeling.roi_heads.action_head.base import PooledBoxes
from alphaction.modeling.roi_heads.action_head.interaction import InteractionSpec
from alphaction.modeling.roi_heads.action_head.interaction_block import BlockSpec

DIM = 24
STRUCTURES = {
    "serial_POMPOM": ("serial", "POMPOM"),
    "serial_PM": ("serial", "PM"),
    "dense_POMPOM": ("dense", "POMPOM"),
    "dense_MPOM": ("dense", "MPOM"),
    "parallel_POM_POM": ("parallel", ("POM", "POM")),
}


@pytest.fixture(scope="module")
def arrays() -> Any:
    return np.load(Path(FOLDER) / "ops.npz")


def pooled(name: str, counts: tuple[int, int]) -> PooledBoxes:
    features = np.abs(WEIGHTS["randn"](name, (sum(counts), DIM, 1, 1, 1)))
    return PooledBoxes(torch.from_numpy(features).flatten(1), counts)


@pytest.fixture(scope="module")
def make_structure() -> Callable:
    def make(kind: str, layers: Any, layer_norm: bool, temporal_position: bool) -> torch.nn.Module:
        block = BlockSpec(dim_inner=12, init_std=0.01, starts_as_shortcut=True, dropout=0.0, layer_norm=layer_norm)
        spec = InteractionSpec(
            layers=tuple(tuple(layer) for layer in layers),
            dim_in=DIM,
            dim_out=DIM,
            max_persons=4,
            max_objects=5,
            max_per_second=2,
            seconds_before=3,
            seconds_after=2,
            temporal_position=temporal_position,
            block=block,
        )
        structure = INTERACTION_AGGREGATION_STRUCTURES.get(kind)(spec)
        prefix = "ia_structure."
        shapes = {prefix + key: tuple(value.shape) for key, value in structure.state_dict().items()}
        state = WEIGHTS["state_dict"](shapes)
        structure.load_state_dict({key.removeprefix(prefix): torch.from_numpy(v) for key, v in state.items()})
        return structure.eval()

    return make


@pytest.mark.parametrize("objects", [(2, 3), (0, 4)])
@pytest.mark.parametrize("temporal_position", [True, False])
@pytest.mark.parametrize("layer_norm", [True, False])
@pytest.mark.parametrize("name", STRUCTURES)
def test_a_structure_gives_the_golden_numbers(
    make_structure: Callable,
    arrays: Any,
    name: str,
    layer_norm: bool,
    temporal_position: bool,
    objects: tuple[int, int],
) -> None:
    structure = make_structure(*STRUCTURES[name], layer_norm, temporal_position)
    things = pooled(f"ops/ia/object/{sum(objects)}", objects)
    memory = torch.from_numpy(arrays["ia_mem"]).flatten(2)  # [2, 12, 24]
    with torch.no_grad():
        found = structure(pooled("ops/ia/person", (3, 2)), things, memory)
    expected = arrays[f"ia_obj{objects[0]}_{objects[1]}_{name}_ln{layer_norm:d}_tp{temporal_position:d}"]
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-5)
