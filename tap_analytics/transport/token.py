"""Where OAuth2 tokens come from: a form posted to one URL, under the policy of all requests."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from urllib.parse import urlencode

from tap_analytics.transport.errors import OVERLOAD, CredentialsRefused, Retriable, TransportError
from tap_analytics.transport.request import Request
from tap_analytics.transport.retry import RetryPolicy
from tap_analytics.transport.session import Transport
from tap_analytics.transport.throttle import Throttle

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.transport.budget import RequestBudget
    from tap_analytics.transport.errors import StopSignal
    from tap_analytics.transport.request import Response

HINT = "Check `access_token_url`, `client_id` and `client_secret`."


@dataclass(frozen=True, kw_only=True)
class TokenEndpoint:
    """Posts forms to the token URL; errors name the API, never the form."""

    name: str
    #: Seconds for a whole answer.
    timeout: float
    stop: StopSignal
    user_agent: str
    budget: RequestBudget | None = None

    def post(self, url: str, form: Mapping[str, str]) -> Mapping[str, t.Any]:
        """Return the JSON object the URL answers to one attempt.

        Raises `Retriable` where another attempt may help and `CredentialsRefused` where not.
        """
        transport = Transport(
            name=self.name,
            origin=url,
            sign=lambda request: request,
            renew=None,
            retry=RetryPolicy(max_retries=0),
            throttle=Throttle(name=self.name, concurrency=1, stop=self.stop),
            timeout=self.timeout,
            stop=self.stop,
            user_agent=self.user_agent,
            budget=self.budget,
        )
        request = Request(
            method="POST",
            url=url,
            headers=(("Content-Type", "application/x-www-form-urlencoded"),),
            json=urlencode(form).encode(),
        )
        try:
            return transport.attempt(request, self._token)
        except TransportError as error:
            reason = error.what.removeprefix(f"{self.name}: ")
            what = f"{self.name}: the token URL failed: {reason}"
            if isinstance(error, Retriable):
                hint = error.hint if error.cause in OVERLOAD else HINT
                told = error.retry_after
                raise Retriable(what, hint=hint, cause=error.cause, retry_after=told) from None
            raise CredentialsRefused(what, hint=HINT, status=error.status) from None
        finally:
            transport.close()

    def _token(self, response: Response) -> Mapping[str, t.Any]:
        try:
            answer = json.loads(response.body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Retriable("it answered no JSON object", hint=HINT, cause="body")
        return answer
