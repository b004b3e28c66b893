import pytest
import torch

from alphaction.modeling.roi_heads.action_head.base import PooledBoxes
from alphaction.structures.boxes import Boxes
from alphaction.structures.clip import ClipKey, DetectionTarget
from alphaction.tasks.pooled_batches import PooledBatch, PooledBatches
from alphaction.utils.errors import LocalError


def make_batch(number: int, counts: tuple[int, ...], with_objects: bool) -> PooledBatch:
    generator = torch.Generator().manual_seed(number)
    features = torch.rand(sum(counts), 3, generator=generator)
    scores = torch.rand(sum(counts), generator=generator)
    return PooledBatch(
        keys=tuple(ClipKey("movie", 1000 * (10 * number + place)) for place in range(len(counts))),
        targets=tuple(DetectionTarget(Boxes(torch.rand(count, 4), (8, 8)), (8, 8)) for count in counts),
        persons=PooledBoxes(features, counts, scores),
        objects=PooledBoxes(features[:1] + 1, (1,) + (0,) * (len(counts) - 1)) if with_objects else None,
    )


BATCHES = [make_batch(0, (2, 1), True), make_batch(1, (0,), False), make_batch(2, (1, 0, 3), True)]


def test_batches_come_back_as_often_as_asked_and_in_order() -> None:
    with PooledBatches() as pooled:
        for batch in BATCHES:
            pooled.append(batch)
        assert pooled.keys() == [key for batch in BATCHES for key in batch.keys]
        for _ in range(2):
            for found, expected in zip(pooled, BATCHES, strict=True):
                assert found.keys == expected.keys
                assert torch.equal(found.persons.features, expected.persons.features)
                assert torch.equal(found.persons.scores, expected.persons.scores)
                assert found.persons.counts == expected.persons.counts
                assert [t.persons.xyxy.tolist() for t in found.targets] == [
                    t.persons.xyxy.tolist() for t in expected.targets
                ]
                if expected.objects is None:
                    assert found.objects is None
                else:
                    assert torch.equal(found.objects.features, expected.objects.features)


def test_features_do_not_stay_in_memory() -> None:
    with PooledBatches() as pooled:
        pooled.append(BATCHES[0])
        assert pooled._batches[0].persons.features.device.type == "meta"


def test_a_full_temporary_folder_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python keeps what it could not write, and fails again when the file is closed."""
    monkeypatch.setattr("tempfile.TemporaryFile", lambda: open("/dev/full", "wb"))  # noqa: SIM115
    with pytest.raises(LocalError, match=r"No space left on device.* TMPDIR"), PooledBatches() as pooled:
        pooled.append(BATCHES[0])


def test_a_temporary_folder_that_cannot_be_written_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(LocalError, match=r"Permission denied.* TMPDIR"):
        PooledBatches()
