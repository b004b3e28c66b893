"""What several rooms' tests share: the generated data set, and the words that make a run small."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from alphaction.dataset.datasets.synthetic import SyntheticFiles, generate_dataset

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> SyntheticFiles:
    """Two training movies and one validation movie of six seconds."""
    return generate_dataset(tmp_path_factory.mktemp("tiny"), num_train_movies=2, num_val_movies=1, seconds=6)


@pytest.fixture(scope="session")
def tiny_words(tiny_data: SyntheticFiles) -> list[str]:
    """Flags and keys of a run of four iterations on small frames."""
    return [
        *("--config-file", str(ROOT / "config_files/demo.yaml")),
        *("DATASETS.TRAIN", f"('{tiny_data.train_yaml}',)", "DATASETS.TEST", f"('{tiny_data.val_yaml}',)"),
        *("INPUT.MIN_SIZE_TRAIN", "64", "INPUT.MIN_SIZE_TEST", "64", "DATALOADER.NUM_WORKERS", "0"),
        *("SOLVER.MAX_ITER", "4", "SOLVER.VIDEOS_PER_BATCH", "2", "TEST.VIDEOS_PER_BATCH", "2"),
        *("SOLVER.WARMUP_ITERS", "1", "SOLVER.LOG_PERIOD", "1", "DEVICE", "cpu"),
    ]


@pytest.fixture(scope="session")
def interaction_words(tiny_words: list[str]) -> list[str]:
    """The same run with an interaction of persons, objects and a memory of two key frames before and after."""
    keys = {"ACTIVE": True, "LENGTH": (2, 2), "MEMORY_RATE": 2, "MAX_OBJECT": 2, "DIM_INNER": 32, "DIM_OUT": 48}
    return [*tiny_words, *(word for key, value in keys.items() for word in (f"MODEL.IA_STRUCTURE.{key}", str(value)))]


@pytest.fixture(autouse=True)
def _fresh_loggers() -> Iterator[None]:
    """A run in this process leaves no log file open and no handler behind."""
    yield
    logger = logging.getLogger("alphaction")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; tests that need it are skipped without it."""
    folder = os.environ.get("ALPHACTION_TEST_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ALPHACTION_TEST_DATA names no folder of real data")
    return Path(folder)
