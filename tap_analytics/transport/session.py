"""The transport of one API: sends requests with retries and decodes responses.

`attempt` makes one attempt; `fetch` repeats it according to the retry policy.
"""

from __future__ import annotations

import logging
import random
import time
import typing as t
from dataclasses import replace
from http import HTTPStatus

from tap_analytics.transport.channel import Channel
from tap_analytics.transport.error_mapping import ErrorMapper, final_error
from tap_analytics.transport.errors import OVERLOAD, Fatal, Retriable, TransportError, Unreachable
from tap_analytics.transport.throttle import Throttle, describe_wait

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_analytics.transport.auth import Authenticator
    from tap_analytics.transport.request import HttpSettings, Request, Response
    from tap_analytics.transport.retry import RetryPolicy
    from tap_analytics.transport.stats import Stats

T = t.TypeVar("T")


class Transport:
    """Sends the requests of one configured API, only to its origin."""

    #: Why the API can't be reached; while it is set, nothing is sent.
    unreachable: TransportError | None = None
    #: The error of a request that failed in all its attempts while no other succeeded. Until one
    #: does, each request gets one attempt.
    outage: Fatal | None = None

    def __init__(
        self, http: HttpSettings, auth: Authenticator, *, throttle: Throttle | None = None
    ) -> None:
        self.http = http
        self.throttle = throttle or Throttle(http)
        self._renew = auth.renew
        #: Responses so far that show that the API is up.
        self._served = 0
        self._logger = logging.getLogger("tap-analytics").getChild(http.name)
        self._channel = Channel(http, auth, throttle=self.throttle)

    @property
    def stats(self) -> Stats:
        """Figures for reports."""
        return self._channel.stats

    def close(self) -> None:
        """Close the pooled connections."""
        self._channel.close()

    def fetch(
        self, request: Request, decode: Callable[[Response], T], *, failed: Retriable | None = None
    ) -> T:
        """Return the decoded response after as many attempts as the policy allows.

        `failed` is the outcome of a first attempt made elsewhere, which counts as one.
        Raises the last error, or at once one that a retry would not fix.
        """
        before = self.stats.responses, self._served
        policy = self.policy(request)
        waits = policy.waits()
        attempts = 0
        while True:
            if failed is None:
                try:
                    return self.attempt(request, decode)
                except Retriable as retriable:
                    failed = retriable
            self._refuse_if_unreachable()
            attempts += 1
            is_last = attempts > policy.max_retries or self.outage is not None
            if is_last or not policy.allows(failed.retry_after):
                error = final_error(
                    failed, policy, name=self.http.name, attempts=attempts, outage=self.outage
                )
                self._record_failure(error, *before)
                raise error
            self._wait(failed, request, number=attempts, computed=next(waits))
            failed, request = None, replace(request, is_retry=True)

    def attempt(self, request: Request, decode: Callable[[Response], T]) -> T:
        """Return the decoded response to exactly one attempt.

        Redirects within the origin, and the repetition with renewed credentials,
        are part of the attempt.
        """
        self._refuse_if_unreachable()
        errors = ErrorMapper(self.http, f"{self.http.name}: {request.label}")
        try:
            response = self._channel.send(request, errors)
            if response.status == HTTPStatus.UNAUTHORIZED and self._renew():
                response = self._channel.send(request, errors)
        except Unreachable as error:
            self.unreachable = error
            raise
        policy = self.policy(request)
        action = policy.action_for(response.status, response.body)
        if action == "empty":
            response = replace(response, status=HTTPStatus.NO_CONTENT, body=b"")
        elif action or not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
            refusal = errors.refusal(response, policy, action)
            if refusal.cause not in OVERLOAD:
                self._record_success()
            raise refusal
        decoded = decode(response)
        self._record_success()
        self.throttle.succeeded()
        return decoded

    def policy(self, request: Request) -> RetryPolicy:
        """Return the retry policy of a request: its own, else the API's."""
        return request.retry or self.http.retry

    def pause_all(
        self, failed: Retriable, request: Request, *, seconds: float | None = None
    ) -> bool:
        """Pause all requests if `failed` concerns them all; return whether it does.

        By default for as long as the response requested, or before a first retry.
        """
        if failed.cause != "throttled" and failed.retry_after is None:
            return False
        if not self.policy(request).allows(failed.retry_after):
            return False
        answered = f"answered {failed.status}" if failed.status else "asked to wait"
        if seconds is None:
            seconds = failed.retry_after or self.policy(request).backoff_factor
        self.throttle.pause(seconds, reason=f"{request.label} {answered}")
        return True

    def _wait(self, failed: Retriable, request: Request, *, number: int, computed: float) -> None:
        """Wait before retry `number`, counted from the failure."""
        if self.http.budget is not None:
            self.http.budget.check()
        seconds = failed.retry_after or computed
        # Spreads the retries of several processes; only added, because less would be too early.
        seconds += min(1.0, seconds * random.uniform(0, 0.1))  # noqa: S311 - nothing to guess
        seconds = max(0.0, failed.failed_at + seconds - time.monotonic())
        failure = failed.what
        if failed.status:
            failure = f"{self.http.name}: {request.label} answered {failed.status}"
        most, wait = self.policy(request).max_retries, describe_wait(seconds)
        is_paused = self.pause_all(failed, request, seconds=seconds)
        # A pause of all requests has a line of its own.
        level = logging.DEBUG if is_paused and failed.status else logging.WARNING
        self._logger.log(level, "%s, retry %d of %d in %s", failure, number, most, wait)
        if not is_paused:
            self.http.stop.wait(seconds)

    def _record_success(self) -> None:
        self._served += 1
        self.outage = None

    def _record_failure(self, error: Fatal, responses: int, served: int) -> None:
        """Record that a request has failed, unless others got responses since these counts."""
        if isinstance(error, Unreachable):
            if self.stats.responses == responses:
                self.unreachable = error
        elif self._served == served:
            self.outage = self.outage or error

    def _refuse_if_unreachable(self) -> None:
        if known := self.unreachable:
            raise Unreachable(known.what, hint=known.hint)
