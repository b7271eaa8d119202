"""Each question's time and energy are measured apart, offline and without a word."""

import time

import pytest

from utilities.energy import EnergyMeter


@pytest.fixture
def no_network(monkeypatch):
    """Fail on any connection that is attempted."""
    import socket

    def refuse(*args, **kwargs):
        raise AssertionError(f"a connection was attempted: {args}")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_each_question_has_a_row_and_the_last_row_sums_them(no_network, capfd):
    meter = EnergyMeter()
    for question in ("Question 1", "Question 2"):
        meter.start(question)
        time.sleep(0.2)
    meter.stop()

    table = meter.table()
    assert list(table.index) == ["Question 1", "Question 2", "all"]
    assert list(table.columns) == ["seconds", "kWh", "g CO2e"]
    assert (table["seconds"].iloc[:2] >= 0.2).all()
    assert (table.iloc[:2][["kWh", "g CO2e"]] > 0).all(axis=None)
    for column in table.columns:
        assert table.loc["all", column] == pytest.approx(table[column].iloc[:2].sum())
    assert capfd.readouterr() == ("", "")


def test_two_meters_may_run_at_once(no_network):
    one, other = EnergyMeter(), EnergyMeter()
    one.start("a")
    other.start("b")
    time.sleep(0.1)
    one.stop()
    other.stop()
    assert (one.table()["kWh"] > 0).all()
    assert (other.table()["kWh"] > 0).all()


def test_a_question_met_again_is_a_row_of_its_own():
    meter = EnergyMeter()
    meter.start("a")
    meter.start("a")
    meter.stop()
    meter.stop()
    assert list(meter.table().index) == ["a", "a", "all"]
