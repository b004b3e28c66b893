"""Seeds. Nothing random depends on history: each draw comes from (seed, epoch, index) or (seed, iteration, rank),
so a run that was cut off and resumed draws what the uninterrupted run draws, on every process."""

import random

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seeds Python, numpy and torch of this process."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def derived_seed(*numbers: int) -> int:
    """Returns one 63-bit seed that depends on all numbers and their order."""
    high, low = np.random.SeedSequence((len(numbers), *numbers)).generate_state(2, np.uint32).tolist()
    return (high << 31) ^ low


def sample_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """Returns the generator of one sample: it depends on (seed, epoch, index) alone, never on the worker."""
    return np.random.default_rng([seed, epoch, index])
