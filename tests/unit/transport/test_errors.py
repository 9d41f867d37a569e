from __future__ import annotations

import signal
import threading

import pytest

from tap_analytics.transport.errors import (
    Cancelled,
    CredentialsRefused,
    ErrorInBody,
    Fatal,
    Retriable,
)
from tap_analytics.transport.stop import StopSignal


def test_an_error_is_one_line_of_what_and_hint():
    error = Fatal("learning: GET /people\nsent\tnonsense", hint="Try  again.", cause="body")

    assert str(error) == "learning: GET /people sent nonsense. Try again."
    assert (error.cause, error.status) == ("body", None)


@pytest.mark.parametrize(
    ("what", "hint", "text"),
    [
        ("gone", "", "gone"),
        ("gone.", "Look.", "gone. Look."),
        ("gone!", "Look.", "gone! Look."),
        ("it (gone?)", "Look.", "it (gone?) Look."),
        ("no (gone)", "Look.", "no (gone). Look."),
    ],
)
def test_sentences_end_once(what, hint, text):
    assert str(Retriable(what, hint=hint)) == text


def test_each_kind_of_error_has_its_cause():
    assert CredentialsRefused("no").cause == "credentials"
    assert ErrorInBody("no").cause == "in_band"
    assert Retriable("later", retry_after=3.0).retry_after == 3.0


def test_stop_ends_the_current_wait_and_all_later_ones():
    stop = StopSignal()
    outcome = []

    def wait():
        with pytest.raises(Cancelled):
            stop.wait(600)
        outcome.append("interrupted")

    waiting = [threading.Thread(target=wait) for _ in range(3)]
    for thread in waiting:
        thread.start()
    stop.set()
    stop.set()
    for thread in waiting:
        thread.join()

    assert outcome == ["interrupted"] * 3
    assert stop.is_set
    with pytest.raises(Cancelled):
        stop.wait(0)


def test_a_wait_may_be_of_any_length():
    stop = StopSignal()
    stop.wait(-1)
    stop.set()
    with pytest.raises(Cancelled):
        stop.wait(1e30)


def test_a_signal_handler_may_stop_the_thread_it_interrupts():
    stop = StopSignal()
    before = signal.signal(signal.SIGALRM, lambda *_: stop.set())
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    try:
        with pytest.raises(Cancelled):
            stop.wait(600)
    finally:
        signal.signal(signal.SIGALRM, before)
