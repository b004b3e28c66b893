"""The memories of a detection run: made for a training, and filled and read in the two passes of a test."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from alphaction.modeling.action_detector import ActionDetector
from alphaction.structures.clip import ClipKey
from alphaction.structures.memory_pool import MemoryPool
from alphaction.tasks.feature_memory import FeatureMemory, MemorySettings
from alphaction.tasks.pooled_batches import PooledBatch, PooledBatches
from alphaction.utils.comm import all_gather_objects
from alphaction.utils.node_shared import Node, find_node


class MemoryPasses:
    """Makes memories that are read with ``settings``; the processes of a node are found once."""

    def __init__(self, settings: MemorySettings) -> None:
        self._settings = settings
        self._node: Node | None = None

    def make(self, model: ActionDetector, keys: Sequence[ClipKey]) -> FeatureMemory:
        """Returns an empty memory for the key frames ``keys``, shared by the processes of a node."""
        self._node = self._node or find_node()
        on_accelerator = next(model.parameters()).device.type != "cpu"
        pool = MemoryPool.create(
            keys,
            max_per_second=self._settings.max_per_second,
            dim=model.backbone.dim_out,
            pin_memory=on_accelerator and torch.cuda.is_available(),
            node=self._node,
        )
        return FeatureMemory(pool, self._settings)

    def classify(self, model: ActionDetector, batches: Iterable[PooledBatch]) -> Iterator[tuple[PooledBatch, Tensor]]:
        """Yields each batch and its logits [R, K], after a first pass over all of them has filled a memory."""
        with PooledBatches() as pooled:
            device = torch.device("cpu")
            for batch in batches:
                pooled.append(batch)
                device = batch.persons.features.device
            memory = self._fill(model, pooled)
            for stored in pooled:
                part = stored.to(device)
                yield part, model.classify(part.persons, part.objects, memory.around(part.keys, device))

    def _fill(self, model: ActionDetector, pooled: PooledBatches) -> FeatureMemory:
        """Returns the memory of a test set, filled by all processes."""
        keys = [key for of_rank in all_gather_objects(pooled.keys()) for key in of_rank]
        memory = self.make(model, keys)
        for part in pooled:
            memory.write(part.keys, part.persons)
        memory.pool.publish()
        return memory
