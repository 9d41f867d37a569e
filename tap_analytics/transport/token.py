"""Where OAuth2 tokens come from: a form posted to one URL, under the policy of all requests."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from urllib.parse import urlencode

from tap_analytics.transport.errors import CredentialsRefused, Fatal, Retriable
from tap_analytics.transport.request import Request
from tap_analytics.transport.retry import RetryPolicy
from tap_analytics.transport.session import Transport
from tap_analytics.transport.throttle import Throttle

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.transport.budget import Budget
    from tap_analytics.transport.errors import Stop
    from tap_analytics.transport.request import Response

HINT = "Check client_id, client_secret and access_token_url."


@dataclass(frozen=True, kw_only=True)
class TokenEndpoint:
    """Posts forms to the token URL; errors name the API, never the form."""

    name: str
    #: Seconds for a whole answer.
    timeout: float
    stop: Stop
    user_agent: str
    budget: Budget | None = None

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
        except Retriable as error:
            what = f"{self.name}: the token URL failed: {error.what}"
            raise Retriable(what, hint=HINT, cause=error.cause, status=error.status) from None
        except Fatal as error:
            what = f"{self.name}: the token URL failed: {error.what}"
            raise CredentialsRefused(what, hint=HINT, status=error.status) from None
        finally:
            transport.close()

    def _token(self, response: Response) -> Mapping[str, t.Any]:
        try:
            answer = json.loads(response.body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Retriable(f"{self.name}: the token URL answered no JSON object", cause="body")
        return answer
