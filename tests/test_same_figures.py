"""Seeded trainings of the CNN, the RNN and the LSTM: the same on one machine, to the last bit.

With one thread here, as other work on the machine slows several terribly; ``make matrix`` does
it with two.
"""

import conditions
import pytest

NETS = {"cnn": "fashion_mnist", "rnn": "macbeth", "lstm": "macbeth"}  # and what they train on


@pytest.mark.slow
@pytest.mark.parametrize(("net", "data"), NETS.items())
def test_two_trainings_from_one_seed_end_in_the_same_weights(net, data, real_data):
    real_data(data)
    first, second = (conditions.reproduce("1 thread", net) for _ in range(2))
    assert first == second
