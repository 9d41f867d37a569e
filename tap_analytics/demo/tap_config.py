"""The credentials of the demo, and a configuration of the tap with them."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The expected credentials; some contain characters that must be encoded."""

    learning_api_key: str = "demo-learning-key"
    experimentation_api_key: str = "demo-experimentation-key"
    wiki_email: str = "skipper@brightwater.example"
    wiki_api_token: str = "demo-wiki-token"  # noqa: S105 - a made-up token
    #: Accepted as bearer, in place of email and API token.
    wiki_access_token: str = "demo-wiki-access-token"  # noqa: S105 - a made-up token as well
    success_secret_token: str = "demo-success-token"  # noqa: S105 - a made-up token as well
    success_basic_auth_header: str = "demo-success-header"
    declared_api_key: str = "demo-declared/key+&="


DEFAULT = Credentials()


def tap_config(url: str, *, dialect: str, credentials: Credentials) -> dict[str, t.Any]:
    """Return settings for all five APIs, without a limit on the request rate."""
    real = dialect == "real"
    blocks: dict[str, dict[str, t.Any]] = {
        "learning": {
            "api_key": credentials.learning_api_key,
            "base_url": f"{url}/learning/v2",
        },
        "experimentation": {
            "api_key": credentials.experimentation_api_key,
            "base_url": f"{url}/experimentation/{'api/v2' if real else 'v1'}",
            **({"api_key_header": "token"} if real else {}),
        },
        "wiki": {
            "email": credentials.wiki_email,
            "api_token": credentials.wiki_api_token,
            "base_url": url if real else f"{url}/wiki-spec",
            **({"v1_path": "/wiki/rest/api", "v2_path": "/wiki/api/v2"} if real else {}),
        },
        "success": {
            "secret_token": credentials.success_secret_token,
            "base_url": f"{url}/{'resources' if real else 'success'}",
            **({} if real else {"basic_auth_header": credentials.success_basic_auth_header}),
        },
    }
    unhurried = {name: block | {"requests_per_second": 0} for name, block in blocks.items()}
    return {**unhurried, "apis": [_declared(url, key=credentials.declared_api_key)]}


def _declared(url: str, *, key: str) -> dict[str, t.Any]:
    auth = {"type": "api_key", "name": "api_key", "api_key": key, "location": "query"}
    endpoint = {
        "path": "/v1/resource",
        "data_selector": "data",
        "paginator": {"type": "offset", "limit": 100},
    }
    return {
        "name": "declared",
        "client": {"base_url": f"{url}/declared", "auth": auth},
        "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
        "resources": [{"name": "resource_name", "endpoint": endpoint}],
    }


def variables(config: t.Mapping[str, t.Any], *, prefix: str = "TAP_ANALYTICS") -> dict[str, str]:
    """Return the variables of a configuration."""
    found: dict[str, str] = {}
    for name, value in config.items():
        variable = f"{prefix}_{name}".upper()
        if isinstance(value, dict):
            found |= variables(value, prefix=variable)
        else:
            found[variable] = value if isinstance(value, str) else json.dumps(value)
    return found
