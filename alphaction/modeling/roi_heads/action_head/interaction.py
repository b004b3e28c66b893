"""Interaction Aggregation: persons, objects and a long-term memory in one structure (Tang et al. 2020, section 3.3)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from alphaction.modeling.registry import INTERACTION_AGGREGATION_STRUCTURES
from alphaction.modeling.roi_heads.action_head.base import PooledBoxes
from alphaction.modeling.roi_heads.action_head.interaction_block import BlockSpec, InteractionBlock, Projection
from alphaction.modeling.roi_heads.action_head.slots import Slots

# Initial logit of every earlier output in a dense structure but the latest: a weight of 1e-5 against it.
_EARLIER_LOGIT = -11.512925464970229


@dataclass(frozen=True, slots=True)
class InteractionSpec:
    """The shape of a structure.

    Attributes:
        layers: kinds of its blocks: "P" persons, "O" objects, "M" memory. Serial and dense structures have one block
            a layer.
        dim_in: width of a pooled box.
        dim_out: width of the result.
        max_persons, max_objects: slots of a clip.
        max_per_second: slots of one second of memory.
        seconds_before, seconds_after: entries of memory before and after the clip's own.
        temporal_position: learn a position for each entry of memory.
        block: what all blocks share.
    """

    layers: tuple[tuple[str, ...], ...]
    dim_in: int
    dim_out: int
    max_persons: int
    max_objects: int
    max_per_second: int
    seconds_before: int
    seconds_after: int
    temporal_position: bool
    block: BlockSpec

    @property
    def num_seconds(self) -> int:
        return self.seconds_before + 1 + self.seconds_after

    def has(self, kind: str) -> bool:
        return any(kind in layer for layer in self.layers)


@dataclass(frozen=True, slots=True)
class Context:
    """What the blocks of one pass look at, [N, slots, dim_inner] each; None where no block asks for it."""

    queries: Slots
    person_slots: Slots
    persons: Tensor | None
    objects: Tensor | None
    memory: Tensor | None


class InteractionStructure(nn.Module):
    """What the structures share: widths are reduced, blocks are made and run; the order is the subclass's.

    The projections always have a bias and the layer norm never has weights: the weight files are like that.
    """

    def __init__(self, spec: InteractionSpec) -> None:
        super().__init__()
        self.spec, self.dim_out = spec, spec.dim_out
        self.person_dim_reduce = self._make_reduction()
        self.mem_dim_reduce = self._make_reduction() if spec.has("M") else None
        self.person_key_dim_reduce = self._make_reduction() if spec.has("P") else None
        self.object_dim_reduce = self._make_reduction() if spec.has("O") else None
        self._names = self._make_blocks()

    def freeze_unused(self) -> None:
        """Takes what no output depends on out of the training, where other processes would wait for its gradient.

        A P block that comes later sees earlier outputs and not the reduced persons, and a shorter layer leaves outputs
        unused: their weights are in the files of the family all the same.
        """
        weights = {name: torch.empty_like(p, device="meta").requires_grad_() for name, p in self.named_parameters()}
        person = PooledBoxes(torch.empty(1, self.spec.dim_in, device="meta"), (1,))
        memory = torch.empty(1, self.spec.num_seconds * self.spec.max_per_second, self.spec.dim_in, device="meta")
        with torch.enable_grad():
            result = functional_call(self, weights, (person, None, memory)).sum()
        gradients = torch.autograd.grad(result, list(weights.values()), allow_unused=True)
        for parameter, gradient in zip(self.parameters(), gradients, strict=True):
            parameter.requires_grad_(gradient is not None)

    def forward(self, persons: PooledBoxes, objects: PooledBoxes | None = None, memory: Tensor | None = None) -> Tensor:
        """Returns [R, dim_out] for the persons.

        Args:
            persons: pooled persons; where there are more than slots, those of the best score are seen by others.
            objects: pooled objects; None is a batch without any.
            memory: [N, seconds * max_per_second, dim_in] persons of the seconds around each clip, its own included, 0
                in empty slots; needed by M blocks.
        """
        features, counts, scores = persons
        slots = Slots(counts, self.spec.max_persons, scores, features.device)
        context = Context(
            queries=Slots(counts, max((1, *counts)), None, features.device),
            person_slots=slots,
            persons=self._person_keys(persons, slots),
            objects=self._object_keys(objects, persons),
            memory=self._memory_keys(memory),
        )
        return self.aggregate(self._reduced(self.person_dim_reduce, features), context)

    def aggregate(self, persons: Tensor, context: Context) -> Tensor:
        """Returns [R, dim_out] of the reduced persons [R, dim_inner]."""
        raise NotImplementedError

    def run_block(self, name: str, persons: Tensor, context: Context, seen: Tensor | None) -> Tensor:
        """Returns the block's output [R, C].

        Args:
            name: of the block.
            persons: [R, dim_inner] who ask.
            context: of this pass.
            seen: [R, dim_inner] how a P block sees the persons; None as they were before any block.
        """
        others = {"P": context.persons, "O": context.objects, "M": context.memory}[name[0]]
        if name[0] == "P" and seen is not None:
            others = context.person_slots.fill(seen)
        assert others is not None
        return context.queries.take(getattr(self, name)(context.queries.fill(persons), others))

    def _make_reduction(self) -> Projection:
        return Projection(self.spec.dim_in, self.spec.block.dim_inner, init_std=self.spec.block.init_std)

    def _make_blocks(self) -> list[list[str]]:
        """Adds the blocks as ``<kind>_block_<number>`` and returns their names, layer by layer."""
        spec = self.spec
        names: list[list[str]] = []
        made: Counter[str] = Counter()
        for number, layer in enumerate(spec.layers, start=1):
            dim_out = spec.dim_out if number == len(spec.layers) else spec.block.dim_inner
            names.append([])
            for kind in layer:
                made[kind] += 1
                names[-1].append(f"{kind}_block_{made[kind]}")
                num_seconds = spec.num_seconds if kind == "M" and spec.temporal_position else 0
                block = InteractionBlock(spec.block, dim_out=dim_out, num_seconds=num_seconds)
                self.add_module(names[-1][-1], block)
        return names

    def _reduced(self, reduce: nn.Module, features: Tensor) -> Tensor:
        return F.dropout(reduce(features), self.spec.block.dropout, self.training)

    def _person_keys(self, persons: PooledBoxes, slots: Slots) -> Tensor | None:
        """Returns [N, max_persons, dim_inner]; empty slots stay 0."""
        if self.person_key_dim_reduce is None:
            return None
        return slots.fill(self._reduced(self.person_key_dim_reduce, persons.features))

    def _object_keys(self, objects: PooledBoxes | None, persons: PooledBoxes) -> Tensor | None:
        """Returns [N, max_objects, dim_inner]; empty slots are what the projection makes of 0."""
        if self.object_dim_reduce is None:
            return None
        if objects is None:
            objects = PooledBoxes(persons.features[:0], (0,) * len(persons.counts))
        slots = Slots(objects.counts, self.spec.max_objects, objects.scores, objects.features.device)
        return self._reduced(self.object_dim_reduce, slots.fill(objects.features))

    def _memory_keys(self, memory: Tensor | None) -> Tensor | None:
        """Returns [N, seconds * max_per_second, dim_inner]; empty slots are what the projection makes of 0."""
        if self.mem_dim_reduce is None:
            return None
        assert memory is not None, "a structure with M blocks needs a memory"
        return self._reduced(self.mem_dim_reduce, memory)


@INTERACTION_AGGREGATION_STRUCTURES.register("serial")
class SerialStructure(InteractionStructure):
    """Each block takes the output of the one before."""

    def aggregate(self, persons: Tensor, context: Context) -> Tensor:
        seen = None
        for (name,) in self._names:
            persons = seen = self.run_block(name, persons, context, seen)
        return persons


@INTERACTION_AGGREGATION_STRUCTURES.register("dense")
class DenseStructure(InteractionStructure):
    """Each block takes a learnt mean, channel by channel, of the outputs of all blocks before it."""

    def __init__(self, spec: InteractionSpec) -> None:
        super().__init__(spec)
        dim, logits = spec.block.dim_inner, nn.ParameterDict()
        for count in range(2, len(self._names)):
            logits[str(count)] = nn.Parameter(torch.full((count, dim, 1, 1, 1), _EARLIER_LOGIT))
            nn.init.zeros_(logits[str(count)][-1])
        self.dense_params = logits

    def aggregate(self, persons: Tensor, context: Context) -> Tensor:
        outputs: list[Tensor] = []
        for (name,) in self._names:
            taken = self._mean(outputs) if outputs else persons
            outputs.append(self.run_block(name, taken, context, taken if outputs else None))
        return outputs[-1]

    def _mean(self, outputs: Sequence[Tensor]) -> Tensor:
        if len(outputs) == 1:
            return outputs[0]
        weights = self.dense_params[str(len(outputs))].flatten(1).softmax(dim=0)  # [j, C]
        return torch.einsum("jc,jrc->rc", weights, torch.stack(tuple(outputs)))


@INTERACTION_AGGREGATION_STRUCTURES.register("parallel")
class ParallelStructure(InteractionStructure):
    """Layers of blocks side by side; each takes the output at its place in the layer before; the last are added up.

    A layer may be shorter than the one before, which leaves outputs unused, but not longer.

    A P block sees the output of the P block that ran last, as far as it is ``dim_inner`` wide.
    """

    def aggregate(self, persons: Tensor, context: Context) -> Tensor:
        seen = None
        inputs = [persons] * len(self._names[0])
        for names in self._names:
            outputs: list[Tensor] = []
            for name, taken in zip(names, inputs, strict=False):
                outputs.append(self.run_block(name, taken, context, seen))
                if name[0] == "P" and outputs[-1].shape[1] == self.spec.block.dim_inner:
                    seen = outputs[-1]
            inputs = outputs
        return torch.stack(inputs).sum(dim=0)
