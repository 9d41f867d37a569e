"""Classes of dlt that stand for parts of a configuration, with the names of their arguments."""

from __future__ import annotations

_API_KEY = ("api_key", ("name", "api_key", "location"))
_BASIC = ("http_basic", ("username", "password"))
_JSON_LINK = ("json_link", ("next_url_path",))
#: The `type` they stand for, and the names of their arguments in order.
CLASSES: dict[str, tuple[str, tuple[str, ...]]] = {
    "APIKeyAuth": _API_KEY,
    "ApiKeyAuth": _API_KEY,
    "BearerTokenAuth": ("bearer", ("token",)),
    "HTTPBasicAuth": _BASIC,
    "HttpBasicAuth": _BASIC,
    "OAuth2ClientCredentials": (
        "oauth2_client_credentials",
        (
            *("access_token", "access_token_url", "client_id", "client_secret"),
            *("access_token_request_data", "default_token_expiration", "session"),
        ),
    ),
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
    "Incremental": ("incremental", ("cursor_path", "initial_value", "last_value_func")),
    "incremental": ("incremental", ("cursor_path", "initial_value", "last_value_func")),
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


def is_dict(called: str) -> bool:
    """Whether a dotted name makes a dict of keywords."""
    name = called.rpartition(".")[2]
    return name in DICTS or name.endswith(("PaginatorConfig", "AuthConfig"))
