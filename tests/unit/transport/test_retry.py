from __future__ import annotations

import itertools

import pytest

from tap_analytics.transport.retry import RetryPolicy, retry_after

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z


@pytest.mark.parametrize(("factor", "waits"), [(2.0, [2, 4, 8, 16]), (5.0, [5, 10, 20, 40])])
def test_waits_double_from_the_factor(factor, waits):
    policy = RetryPolicy(backoff_factor=factor)

    assert list(itertools.islice(policy.waits(), 4)) == waits


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 2.5 ", 2.5),
        ("-3", 0.0),
        ("0", 0.0),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Friday, 15-Jan-27 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("2027-01-15T08:00:09Z", 9.0),
        ("1800000012", 12.0),
        ("1800000012500", 12.5),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("1e5", None),
        ("١٢", None),
        ("Fri, 99 Jan 2027 08:00:30 GMT", None),
    ],
)
def test_retry_after(value, seconds):
    assert retry_after({"Retry-After": value}, now=NOW, status=503) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"RateLimit-Reset": "12"}, 12.0),
        ({"X-RateLimit-Reset": "12"}, 12.0),
        ({"X-RateLimit-Reset": str(int(NOW) + 40)}, 40.0),
        ({"X-RateLimit-Reset": str(int(NOW * 1000) + 40_500)}, 40.5),
        ({"X-RateLimit-Reset": "2027-01-15T08:01:00Z"}, 60.0),
        ({"X-RateLimit-Reset-After": "3.5", "X-RateLimit-Reset": "1800000009"}, 3.5),
        ({"x-ratelimit-retry-after": "4"}, 4.0),
        ({"RateLimit": "limit=10, remaining=0, reset=7"}, 7.0),
        ({"RateLimit": '"default";r=0;t=8'}, 8.0),
        ({"RateLimit": '"default";r=5;t=8'}, None),
        ({"Retry-After": "1", "RateLimit-Reset": "30"}, 1.0),
        ({"Retry-After": "nonsense", "RateLimit-Reset": "30"}, 30.0),
        ({}, None),
    ],
)
def test_rate_limit_headers_of_a_429(headers, seconds):
    assert retry_after(headers, now=NOW) == seconds


def test_rate_limit_headers_of_other_responses_count_only_when_nothing_remains():
    reset = {"X-RateLimit-Reset": "12"}

    assert retry_after(reset, now=NOW, status=503) is None
    assert retry_after(reset | {"X-RateLimit-Remaining": "8"}, now=NOW, status=503) is None
    assert retry_after(reset | {"X-RateLimit-Remaining": "0"}, now=NOW, status=503) == 12.0


def test_a_date_to_retry_after_is_relative_to_the_date_of_the_response():
    headers = {
        "Date": "Fri, 15 Jan 2027 09:00:00 GMT",
        "Retry-After": "Fri, 15 Jan 2027 09:00:05 GMT",
    }

    assert retry_after(headers, now=NOW) == 5.0
