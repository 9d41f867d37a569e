"""Classes of dlt that stand for parts of a configuration, with the names of their arguments.

Also those that a file derives from `OAuth2ClientCredentials` to send name and secret in a header,
as dlt's documentation shows it.
"""

from __future__ import annotations

import ast
import re
import typing as t

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.loading import Object

_API_KEY = ("api_key", ("name", "api_key", "location"))
_BASIC = ("http_basic", ("username", "password"))
_CLIENT_CREDENTIALS = (
    "oauth2_client_credentials",
    (
        *("access_token", "access_token_url", "client_id", "client_secret"),
        *("access_token_request_data", "default_token_expiration", "session"),
    ),
)
_INCREMENTAL = (
    "incremental",
    (
        *("cursor_path", "initial_value", "last_value_func", "primary_key", "end_value"),
        *("row_order", "allow_external_schedulers", "on_cursor_value_missing", "lag"),
        *("range_start", "range_end"),
    ),
)
_JSON_LINK = ("json_link", ("next_url_path",))
#: The `type` they stand for, and the names of their arguments in order.
CLASSES: dict[str, tuple[str, tuple[str, ...]]] = {
    "APIKeyAuth": _API_KEY,
    "ApiKeyAuth": _API_KEY,
    "BearerTokenAuth": ("bearer", ("token",)),
    "HTTPBasicAuth": _BASIC,
    "HttpBasicAuth": _BASIC,
    "OAuth2ClientCredentials": _CLIENT_CREDENTIALS,
    "OAuth2ImplicitFlow": _CLIENT_CREDENTIALS,
    "OAuthJWTAuth": (
        "oauth_jwt",
        (
            *("token", "client_id", "private_key", "auth_endpoint", "scopes", "headers"),
            *("private_key_passphrase", "default_token_expiration", "session"),
        ),
    ),
    "HeaderCursorPaginator": ("header_cursor", ("cursor_key", "cursor_param")),
    "HeaderLinkPaginator": ("header_link", ("links_next_key",)),
    "JSONLinkPaginator": _JSON_LINK,
    "JSONResponsePaginator": _JSON_LINK,
    "JSONResponseCursorPaginator": ("cursor", ("cursor_path", "cursor_param", "cursor_body_path")),
    "OffsetPaginator": (
        "offset",
        (
            *("limit", "offset", "offset_param", "limit_param", "total_path", "maximum_offset"),
            "stop_after_empty_page",
        ),
    ),
    "PageNumberPaginator": (
        "page_number",
        (
            *("base_page", "page", "page_param", "total_path", "maximum_page"),
            "stop_after_empty_page",
        ),
    ),
    "SinglePagePaginator": ("single_page", ()),
    "Incremental": _INCREMENTAL,
    "incremental": _INCREMENTAL,
}
#: Functions and types whose keywords are the members of a dict.
DICTS = {
    *("dict", "RESTAPIConfig", "ClientConfig", "EndpointResource", "EndpointResourceBase"),
    *("Endpoint", "IncrementalConfig", "rest_api", "ProcessingSteps"),
}
#: Functions that return their last argument as it is.
IDENTITIES = {"cast", "copy", "deepcopy", "list", "tuple"}


def of_class(called: str) -> tuple[str, tuple[str, ...]] | None:
    """Return what a class stands for, by its dotted name."""
    return CLASSES.get(called.rpartition(".")[2])


#: The method that makes the request for a token, by Basic credentials.
_IN_HEADER = re.compile(
    r"(?P<pair>\w+)(?:: str)? = (?:base64\.)?b64encode\("
    r"f'\{self\.client_id\}:\{self\.client_secret\}'\.encode\([^()]*\)\)\.decode\([^()]*\)\n"
    r"return \{(?:'url': '(?P<url>[^']+)', )?'headers': \{'Authorization': f'Basic \{(?P=pair)\}'"
    r"(?:, 'Content-Type': 'application/x-www-form-urlencoded')?\}, "
    r"'data': self\.access_token_request_data\}"
)


def in_header(tree: ast.Module, called: str) -> Object | None:
    """Return what an authenticator of the file adds to those of dlt: where its token comes from."""
    found = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == called]
    bases = [ast.unparse(each).rpartition(".")[2] for one in found for each in one.bases]
    if len(bases) != 1 or CLASSES.get(bases[0]) != _CLIENT_CREDENTIALS:
        return None
    body = [each for each in found[0].body if not isinstance(each, ast.Expr)]
    [method] = body if len(body) == 1 else [None]
    if not isinstance(method, ast.FunctionDef) or method.name != "build_access_token_request":
        return None
    read = _IN_HEADER.fullmatch("\n".join(map(ast.unparse, method.body)))
    url = {"access_token_url": read["url"]} if read and read["url"] else {}
    return {"client_authentication": "header", **url} if read else None


def is_dict(called: str) -> bool:
    """Whether a dotted name makes a dict of keywords."""
    name = called.rpartition(".")[2]
    return name in DICTS or name.endswith(("PaginatorConfig", "AuthConfig"))
