"""The credentials the demo demands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a client has to show; some hold characters that a careless client fails to encode."""

    learning_api_key: str = "demo-learning-key"
    experimentation_api_key: str = "demo-experimentation-key"
    wiki_email: str = "skipper@brightwater.example"
    wiki_api_token: str = "demo-wiki-token"  # noqa: S105 - a made-up token, known to everybody
    success_secret_token: str = "demo-success-token"  # noqa: S105 - a made-up token as well
    success_basic_auth_header: str = "demo-success-header"
    declared_api_key: str = "demo-declared/key+&="


DEFAULT = Credentials()
