"""Seeded trainings of the CNN, the RNN and the LSTM: the same on one machine, to the last bit.

With one thread here, as other work on the machine slows several terribly; ``make matrix`` does
it with two. And the numerics hold on every processor.
"""

import conditions
import pytest
from helpers import clean_environment, run_file

NETS = {"cnn": "fashion_mnist", "rnn": "macbeth", "lstm": "macbeth"}  # and what they train on


@pytest.mark.slow
@pytest.mark.parametrize(("net", "data"), NETS.items())
def test_two_trainings_from_one_seed_end_in_the_same_weights(net, data, real_data):
    real_data(data)
    first, second = (conditions.reproduce("1 thread", net) for _ in range(2))
    assert first == second


@pytest.mark.slow
@pytest.mark.parametrize("condition", conditions.CONDITIONS)
def test_the_properties_of_questions_1_and_3_hold_under_every_condition(condition):
    """NumPy's exponential and tanh are other code, with other last bits, on other processors."""
    names = [f"tests/test_properties_{name}.py" for name in ("nn", "forest")]
    env = clean_environment(**conditions.settings(condition))
    finished = run_file("-m", "pytest", "-q", "-p", "no:cacheprovider", *names, env=env)
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
