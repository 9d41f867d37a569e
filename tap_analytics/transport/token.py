"""Where OAuth2 tokens come from: one form posted to one URL of the configuration."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from http import HTTPStatus

import requests

from tap_analytics.transport.errors import CredentialsRefused, Retriable

if t.TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class TokenEndpoint:
    """Posts forms to the token URL; errors name the API, never the form."""

    name: str
    #: Seconds.
    timeout: float

    def post(self, url: str, form: Mapping[str, str]) -> Mapping[str, t.Any]:
        """Return the JSON object the URL answers.

        Raises `Retriable` where another attempt may help and `CredentialsRefused` where not.
        """
        where = f"{self.name}: the token URL"
        try:
            response = requests.post(
                url,
                data=dict(form),
                headers={"Accept": "application/json"},
                timeout=self.timeout,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            what = f"{where} can't be reached ({type(error).__name__})"
            raise Retriable(what, hint="Check access_token_url.", cause="unreachable") from None
        status = response.status_code
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Retriable(f"{where} answered {status}", cause="server", status=status)
        token = self._object(response)
        if status != HTTPStatus.OK or token is None:
            raise CredentialsRefused(
                f"{where} answered {status} and no token",
                hint="Check client_id, client_secret and access_token_url.",
                status=status,
            )
        return token

    @staticmethod
    def _object(response: requests.Response) -> Mapping[str, t.Any] | None:
        try:
            answer = response.json()
        except ValueError:
            return None
        return answer if isinstance(answer, dict) else None
