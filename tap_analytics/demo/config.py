"""The tap's configuration for a running demo."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from tap_analytics.demo.credentials import Credentials


def tap_config(url: str, *, dialect: str, credentials: Credentials) -> dict[str, t.Any]:
    """Return settings that switch all five APIs on, with no cap on the request rate."""
    real = dialect == "real"
    learning = {"api_key": credentials.learning_api_key, "base_url": f"{url}/learning/v2"}
    experimentation = {
        "api_key": credentials.experimentation_api_key,
        "base_url": f"{url}/experimentation/{'api/v2' if real else 'v1'}",
        **({"api_key_header": "token"} if real else {}),
    }
    wiki = {
        "email": credentials.wiki_email,
        "api_token": credentials.wiki_api_token,
        "base_url": url if real else f"{url}/wiki-spec",
        **({"v1_path": "/wiki/rest/api", "v2_path": "/wiki/api/v2"} if real else {}),
    }
    success = {
        "secret_token": credentials.success_secret_token,
        "base_url": f"{url}/{'resources' if real else 'success'}",
        **({} if real else {"basic_auth_header": credentials.success_basic_auth_header}),
    }
    blocks = {
        "learning": learning,
        "experimentation": experimentation,
        "wiki": wiki,
        "success": success,
    }
    unhurried = {name: block | {"requests_per_second": 0} for name, block in blocks.items()}
    return {**unhurried, "apis": [_declared(url, key=credentials.declared_api_key)]}


def _declared(url: str, *, key: str) -> dict[str, t.Any]:
    return {
        "name": "declared",
        "client": {
            "base_url": f"{url}/declared",
            "auth": {"type": "api_key", "name": "api_key", "api_key": key, "location": "query"},
        },
        "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
        "resources": [
            {
                "name": "resource_name",
                "endpoint": {
                    "path": "/v1/resource",
                    "data_selector": "data",
                    "paginator": {"type": "offset", "limit": 100},
                },
            }
        ],
    }
