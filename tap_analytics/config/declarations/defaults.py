"""Defaults for the resources of an API."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from tap_analytics.config.declarations.auths import read_auth

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.config.declarations.object_reader import ObjectReader
    from tap_analytics.transport.auth import Authenticator
    from tap_analytics.transport.retry import RetryPolicy


@dataclass(frozen=True, kw_only=True)
class ApiDefaults:
    """Defaults for all resources of an API."""

    api: str
    retry: RetryPolicy
    page_size: int | None
    #: The authentication of the client, and all that were read, by `auth_key`.
    auth: Authenticator
    auths: dict[str, Authenticator]
    #: Fields of a resource, including those of its endpoint.
    given: Mapping[str, t.Any]

    def auth_of(self, endpoint: ObjectReader) -> Authenticator | None:
        """Return the authentication of an endpoint's own; equal ones are one, and share a token."""
        if "auth" not in endpoint:
            return None
        key = auth_key(endpoint)
        if key not in self.auths:
            self.auths[key] = read_auth(endpoint, "auth")
        return self.auths[key]


def auth_key(reader: ObjectReader) -> str:
    """Return the text of the `auth` of an object."""
    return json.dumps(reader.given.get("auth"), sort_keys=True, default=str)
