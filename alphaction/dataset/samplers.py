"""Which clips come in which batch, on which process; a function of (seed, epoch) alone, so that runs can resume."""

from collections.abc import Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from alphaction.structures.clip import Draw
from alphaction.utils.errors import UserError

# A clip that is drawn again in an epoch takes its chances of an epoch far ahead, so that it is not shown the same way.
_EPOCHS = 2**32


class TrainBatchSampler(Sampler[list[Draw]]):
    """Yields this process's share of each global batch, iteration after iteration.

    An epoch is ceil(clips / clips_per_batch) iterations. All processes draw the same permutation from
    (seed, epoch), form the same global batches, and take their own slice; all slices have the same length.

    Args:
        num_clips: size of the dataset.
        clips_per_batch: size of the global batch.
        seed: seed of the run.
        groups: [num_clips] clips of one group come together (landscape, portrait), or None.
        shares: [num_clips] how often each clip is drawn, in proportion; None draws each once an epoch.
        start_iter: first iteration to yield; the batches are those of a run that was never interrupted.
        num_iterations: the iteration to stop before, or None to go on for ever.
        rank: this process.
        world_size: number of processes.

    Raises:
        UserError: the batch cannot be shared evenly, or there are more processes than clips.
    """

    def __init__(
        self,
        *,
        num_clips: int,
        clips_per_batch: int,
        seed: int,
        groups: Sequence[int] | NDArray[np.integer] | None = None,
        shares: NDArray[np.float64] | None = None,
        start_iter: int = 0,
        num_iterations: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        _check_processes(num_clips, world_size)
        if clips_per_batch % world_size or clips_per_batch < 1:
            raise UserError(
                f"SOLVER.VIDEOS_PER_BATCH {clips_per_batch} cannot be shared evenly by {world_size} processes; "
                f"choose a multiple of {world_size}."
            )
        self.iterations_per_epoch = -(-num_clips // clips_per_batch)
        self._num_clips, self._clips_per_batch, self._seed = num_clips, clips_per_batch, seed
        self._groups = np.zeros(num_clips, np.int64) if groups is None else np.asarray(groups)
        self._shares = shares
        self._start, self._stop = start_iter, num_iterations
        share = clips_per_batch // world_size
        self._slice = slice(rank * share, (rank + 1) * share)

    def __iter__(self) -> Iterator[list[Draw]]:
        iteration, epoch_of_batches = self._start, -1
        batches = repeats = np.zeros((0, 0), np.int64)
        while self._stop is None or iteration < self._stop:
            epoch, place = divmod(iteration, self.iterations_per_epoch)
            if epoch != epoch_of_batches:
                epoch_of_batches, batches = epoch, self.global_batches(epoch)
                repeats = np.zeros_like(batches) if self._shares is None else _repeats(batches)
            shared = zip(batches[place, self._slice].tolist(), repeats[place, self._slice].tolist(), strict=True)
            yield [Draw(self._seed, epoch + repeat * _EPOCHS, index) for index, repeat in shared]
            iteration += 1

    def __len__(self) -> int:
        if self._stop is None:
            raise TypeError("This sampler never ends; give num_iterations.")
        return max(self._stop - self._start, 0)

    def global_batches(self, epoch: int) -> NDArray[np.int64]:
        """Returns [iterations, clips_per_batch] clip numbers of an epoch; without shares every clip is in it.

        First the batches that one group fills, in the order in which they become full, then what is left of the
        groups together; the last batch is filled up with the first clips of the permutation.
        """
        size = self._clips_per_batch
        order = self._order(np.random.default_rng([self._seed, epoch]))
        full: list[tuple[int, NDArray[np.int64]]] = []
        rest: list[NDArray[np.int64]] = []
        for group in np.unique(self._groups):
            places = np.flatnonzero(self._groups[order] == group)
            num_full = len(places) // size
            for batch in places[: num_full * size].reshape(num_full, size):
                full.append((int(batch[-1]), order[batch]))
            rest.append(order[places[num_full * size :]])
        full.sort(key=lambda entry: entry[0])
        flat = np.concatenate([*(batch for _, batch in full), *rest])
        missing = self.iterations_per_epoch * size - len(flat)
        return np.concatenate([flat, np.resize(order, missing)]).reshape(-1, size)

    def _order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Returns [num_clips] clip numbers of an epoch in the order in which they are shared out to batches.

        With shares, each clip comes as often as its share says, rounded down or up by chance, so that the mean over
        epochs is exact (systematic sampling).
        """
        order = rng.permutation(self._num_clips)
        if self._shares is None:
            return order
        edges = np.cumsum(self._shares[order])
        edges = np.minimum(edges * (self._num_clips / edges[-1]), self._num_clips)
        edges[-1] = self._num_clips
        counts = np.diff(np.floor(edges + rng.random()), prepend=0).astype(np.int64)
        return rng.permutation(np.repeat(order, counts))


class TestBatchSampler(Sampler[list[int]]):
    """Yields this process's clips rank, rank + world, ... once each, in order; a batch holds clips of one size.

    Args:
        size_groups: the size of each clip of the dataset.
        clips_per_batch: most clips of a batch of this process.
        rank: this process.
        world_size: number of processes.

    Raises:
        UserError: there are more processes than clips.
    """

    __test__ = False  # pytest: a sampler for tests of models, not a test

    def __init__(
        self, *, size_groups: Sequence[Hashable], clips_per_batch: int, rank: int = 0, world_size: int = 1
    ) -> None:
        _check_processes(len(size_groups), world_size)
        self._batches: list[list[int]] = []
        for index in range(rank, len(size_groups), world_size):
            last = self._batches[-1] if self._batches else []
            if last and len(last) < clips_per_batch and size_groups[last[0]] == size_groups[index]:
                last.append(index)
            else:
                self._batches.append([index])

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)


def _check_processes(num_clips: int, world_size: int) -> None:
    if num_clips < world_size:
        raise UserError(
            f"{world_size} processes cannot share {num_clips} clips; start at most {num_clips} processes, "
            "or use a larger data set."
        )


def _repeats(batches: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns for each entry how often its clip came before it in the epoch."""
    flat = batches.ravel()
    by_clip = np.argsort(flat, kind="stable")
    is_first = np.diff(flat[by_clip], prepend=-1) != 0
    first = np.maximum.accumulate(np.where(is_first, np.arange(len(flat)), 0))
    repeats = np.empty_like(flat)
    repeats[by_clip] = np.arange(len(flat)) - first
    return repeats.reshape(batches.shape)
