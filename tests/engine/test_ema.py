import pytest
import torch
from torch import nn
from toy import make_toy_trainer

from alphaction.engine.ema import AverageWeights, WeightMean
from alphaction.engine.trainer import Hook, Trainer
from alphaction.utils.errors import CheckpointError

LATE = 10**6  # updates, after which the decay is the one that was asked for


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def move(model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in model.state_dict().values():
            value.add_(1) if not value.is_floating_point() else value.add_(torch.rand(value.shape, generator=generator))


def test_the_mean_is_the_one_worked_out_by_hand() -> None:
    model = nn.Linear(1, 1, bias=False)
    weights = (1.0, 3.0, 7.0)
    nn.init.constant_(model.weight, weights[0])
    mean = WeightMean(model, 0.75)
    for weight in weights[1:]:
        nn.init.constant_(model.weight, weight)
        mean.update(model, LATE)
    assert mean.state_dict()["weight"].item() == 0.75 * (0.75 * 1.0 + 0.25 * 3.0) + 0.25 * 7.0


def test_the_first_updates_keep_little_of_what_the_run_began_with() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    mean = WeightMean(model, 0.999)
    nn.init.constant_(model.weight, 0.0)
    mean.update(model, 0)
    assert mean.state_dict()["weight"].item() == pytest.approx(1 / 10)
    mean.update(model, 1)
    assert mean.state_dict()["weight"].item() == pytest.approx(1 / 10 * 2 / 11)


def test_statistics_are_averaged_and_counts_are_copied() -> None:
    model = make_model()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    mean = WeightMean(model, 0.5)
    move(model, 1)
    mean.update(model, LATE)
    now, averaged = model.state_dict(), mean.state_dict()
    assert averaged["1.num_batches_tracked"] == now["1.num_batches_tracked"] == 1
    assert torch.allclose(averaged["1.running_var"], (before["1.running_var"] + now["1.running_var"]) / 2)
    assert torch.allclose(averaged["0.weight"], (before["0.weight"] + now["0.weight"]) / 2)


@pytest.mark.parametrize("decay", [0.3, 0.9, 0.9999])
def test_a_frozen_weight_stays_exactly_as_it_is(decay: float) -> None:
    model = make_model()
    mean = WeightMean(model, decay)
    for _ in range(1000):
        mean.update(model, LATE)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in mean.state_dict().items())


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_gets_its_own_weights_back_whatever_happens(fails: bool) -> None:
    model = make_model()
    mean = WeightMean(model, 0.5)
    move(model, 1)
    own = {key: value.clone() for key, value in model.state_dict().items()}
    averaged = {key: value.clone() for key, value in mean.state_dict().items()}
    try:
        with mean.in_place_of(model):
            assert all(torch.equal(value, averaged[key]) for key, value in model.state_dict().items())
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert all(torch.equal(value, own[key]) for key, value in model.state_dict().items())
    assert all(torch.equal(value, averaged[key]) for key, value in mean.state_dict().items())


def test_a_weight_of_two_names_survives_the_exchange() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    mean = WeightMean(model, 0.5)
    move(model, 1)
    own = model[0].weight.detach().clone()
    with mean.in_place_of(model):
        assert not torch.equal(model[1].weight, own)
    assert torch.equal(model[1].weight, own)


def test_a_mean_that_goes_on_from_its_state_is_the_same() -> None:
    whole = make_model()
    mean = WeightMean(whole, 0.9)
    for seed in range(3):
        move(whole, seed)
        mean.update(whole, LATE)
    saved = {key: value.clone() for key, value in mean.state_dict().items()}
    resumed = WeightMean(whole, 0.9)
    resumed.load_state_dict(saved)
    move(whole, 7)
    mean.update(whole, LATE)
    resumed.update(whole, LATE)
    assert all(torch.equal(value, mean.state_dict()[key]) for key, value in resumed.state_dict().items())


def test_the_mean_of_another_model_is_refused() -> None:
    with pytest.raises(CheckpointError, match="one of another model"):
        WeightMean(make_model(), 0.9).load_state_dict(WeightMean(nn.Linear(2, 3), 0.9).state_dict())


def test_each_step_moves_the_mean() -> None:
    trainer = make_toy_trainer([], max_iter=3)
    mean = WeightMean(trainer.model, 0.1)
    weights = [mean.state_dict()["0.weight"].clone()]

    class Remember(Hook):
        def after_step(self, trainer: Trainer) -> None:
            weights.append(trainer.model.state_dict()["0.weight"].clone())

    trainer.hooks = [AverageWeights(mean, trainer.model), Remember()]
    trainer.train()
    expected = 0.001 * weights[0] + 0.009 * weights[1] + 0.09 * weights[2] + 0.9 * weights[3]
    assert torch.allclose(mean.state_dict()["0.weight"], expected)
