"""Settings of all tests: the number of examples of a property."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A slow machine is no failure, so examples have no deadline.
settings.register_profile(
    "suite",
    max_examples=50,
    derandomize=True,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
    ],
)
settings.register_profile(
    "soak", settings.get_profile("suite"), max_examples=2000, derandomize=False, print_blob=True
)
settings.load_profile("suite")
