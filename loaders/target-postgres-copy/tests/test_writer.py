"""The thread that commits: order, repeats, and the end after an error."""

import threading

import psycopg
import pytest

from target_postgres_copy.errors import LoadError
from target_postgres_copy.writer import Writer


def test_jobs_run_in_order_on_one_connection():
    seen, connected = [], []
    writer = Writer(lambda: connected.append(1) or object())
    for number in range(20):
        writer.submit(lambda _, number=number: seen.append(number))
    writer.join()
    assert (seen, connected) == (list(range(20)), [1])


def test_a_deadlock_is_tried_again_and_not_for_ever():
    tries = []

    def job(_):
        tries.append(1)
        if len(tries) < 3 or len(tries) > 4:
            raise psycopg.errors.DeadlockDetected

    writer = Writer(lambda: None)
    writer.submit(job)
    writer.join()
    assert len(tries) == 3
    tries += [1, 1]
    writer.submit(job)
    with pytest.raises(psycopg.errors.DeadlockDetected):
        writer.join()
    assert len(tries) == 10


def test_after_an_error_nothing_is_written_any_more():
    seen, gate = [], threading.Event()

    def fail(_):
        gate.wait()
        raise LoadError("first")

    writer = Writer(lambda: None)
    writer.submit(fail)
    writer.submit(lambda _: seen.append("dropped"))
    gate.set()
    with pytest.raises(LoadError, match="first"):
        writer.join()
    with pytest.raises(LoadError, match="first"):
        writer.submit(lambda _: seen.append("refused"))
    assert seen == []
