import pytest
import torch
from torch import nn

from agents.training.weight_average import WeightAverage


def test_average_of_steps_by_hand():
    module = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(1.0)
    average = WeightAverage(module, decay=0.5)
    expected = 1.0
    for step, value in enumerate((3.0, -2.0, 7.0), start=1):
        with torch.no_grad():
            module.weight.fill_(value)
        average.update()
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
        with average.applied():
            assert module.weight.item() == pytest.approx(expected)
        assert module.weight.item() == value


def test_without_decay_it_is_the_parameters():
    module = nn.Linear(3, 2)
    average = WeightAverage(module, decay=0.0)
    with torch.no_grad():
        module.weight.normal_()
    trained = module.weight.clone()
    average.update()
    with average.applied():
        assert torch.equal(module.weight, trained)


def test_an_error_within_gives_the_parameters_back():
    module = nn.Linear(2, 2)
    trained, average = module.weight.clone(), WeightAverage(module)
    with torch.no_grad():
        module.weight.add_(1.0)
    with pytest.raises(RuntimeError, match="stop"), average.applied():
        raise RuntimeError("stop")
    assert torch.equal(module.weight, trained + 1)


@pytest.mark.parametrize("decay", [-0.1, 1.0, 2.0])
def test_decay_out_of_range(decay):
    with pytest.raises(ValueError, match="decay must lie in"):
        WeightAverage(nn.Linear(1, 1), decay)
