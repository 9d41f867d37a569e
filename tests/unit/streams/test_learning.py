"""What is particular to learning: answers are read of attempts that are new, and once of each."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from support.runs import bag, run

from tap_analytics.demo import DemoApi
from tap_analytics.demo.data.extra_lists import attempt_of

ANSWERS = "learning_quiz_attempt_answers"


def attempts_read(demo):
    """Return how often the answers of each attempt were requested, and forget the requests."""
    paths = [request.path for request in demo.requests if request.path.endswith("/answers")]
    demo.reset_counts()
    return Counter(path.split("/")[-2] for path in paths)


def test_answers_are_read_once_of_an_attempt_that_two_webhooks_were_told_of():
    with DemoApi() as demo:
        messages = demo.dataset.extra["learning_quiz_attempts"]
        done = run({"learning": demo.config["learning"]}, only=(ANSWERS,))
        read = attempts_read(demo)
        rows = demo.rows(ANSWERS, parse_float=Decimal)

    assert len(read) == len(messages) - 1
    assert max(read.values()) <= 2  # The second page shows the end.
    assert bag(done.records(ANSWERS)) == bag(rows)
    assert done.verdict(ANSWERS) == "consistent"


def test_a_later_run_reads_the_answers_of_new_attempts():
    with DemoApi() as demo:
        config = {"learning": demo.config["learning"]}
        done = run(config, only=(ANSWERS,))
        times = Counter(
            attempt_of(each)["created_at"] for each in demo.dataset.extra["learning_quiz_attempts"]
        )
        attempts_read(demo)
        later = run(config, only=(ANSWERS,), state=done.state)
        read = attempts_read(demo)

    assert done.bookmark(ANSWERS) == max(times)
    assert len(read) == 1
    assert len(later.records(ANSWERS)) == 2
