"""Memories for tests, and what they should give back, in plain dictionaries."""

import numpy as np
import torch

from alphaction.structures.clip import ClipKey
from alphaction.structures.memory_pool import MemoryPool

DIM = 6


def keys_of(video, seconds):
    return [ClipKey(video, second * 1000) for second in seconds]


def small_pool(**words):
    """Returns a memory of two movies of ten seconds with two persons each."""
    keys = keys_of("a", range(900, 910)) + keys_of("b", range(900, 910))
    return MemoryPool.create(keys, **{"max_per_second": 2, "dim": DIM, **words})


def persons(*values, rows=2):
    """Returns [N, rows, DIM] features, all of the i-th key frame equal to the i-th value."""
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1).expand(-1, rows, DIM).clone()


def values_at(pool, key):
    """Returns the first channel of each person the memory holds of one key frame."""
    return pool.fetch([key], before=0, after=0, rate=1).features[:, 0].tolist()


def random_memory(seed, max_per_second=3):
    """Returns (pool, keys, {movie: {second: (features [n, DIM], loss)}}) with gaps; some is written twice."""
    rng = np.random.default_rng(seed)
    keys = []
    for movie in range(4):
        start = int(rng.integers(0, 1000))
        keys += keys_of(f"movie {movie}", start + rng.choice(60, 40, replace=False))
    keys = [keys[i] for i in rng.permutation(len(keys))]
    pool = MemoryPool.create(keys, max_per_second=max_per_second, dim=DIM)
    expected = {key.video: {} for key in keys}
    for step in range(30):
        chosen = [keys[i] for i in rng.choice(len(keys), 5, replace=False)]
        counts = rng.integers(0, max_per_second + 1, 5).tolist()
        features = torch.from_numpy(rng.standard_normal((5, max_per_second, DIM))).half()
        pool.write(chosen, features, counts, loss=float(step))
        for key, clip, count in zip(chosen, features, counts, strict=True):
            expected[key.video][key.timestamp_ms // 1000] = (clip[:count], float(step))
    return pool, keys, expected


def expected_window(expected, keys, before, after, rate, max_per_second=3):
    """Returns [N, S * P, DIM] features and [N, S * P] losses, looked up second by second; 0 in empty places."""
    features = torch.zeros(len(keys), before + after + 1, max_per_second, DIM)
    losses = torch.zeros(features.shape[:3])
    for clip, key in enumerate(keys):
        for step in range(-before, after + 1):
            second = key.timestamp_ms // 1000 + step * rate
            found, loss = expected[key.video].get(second, (torch.zeros(0, DIM), 0.0))
            features[clip, step + before, : len(found)] = found.float()
            losses[clip, step + before, : len(found)] = loss
    return features.flatten(1, 2), losses.flatten(1, 2)
