"""Base of the services: credentials, query parameters, pages, cursors and errors."""

from __future__ import annotations

import base64
import binascii
import json
import typing as t
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right

from tap_analytics.demo.data.extra_lists import find

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import Dataset, Row
    from tap_analytics.demo.data.extra_lists import ExtraList
    from tap_analytics.demo.messages import Request, Response
    from tap_analytics.demo.tap_config import Credentials

#: Maximum number of digits of a query parameter.
MAX_DIGITS = 18
Key: t.TypeAlias = tuple[str, ...]


class Refused(Exception):  # noqa: N818 - it becomes a response and is never shown to a user
    """A request that gets an error response."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def not_found(request: Request) -> Refused:
    """Return the error for an unknown path."""
    return Refused(404, f"nothing is found at {request.path}")


class Service(ABC):
    """One API in one dialect."""

    #: Name of the settings block of the API.
    name: str
    #: Prefix of all paths.
    prefix: str
    #: The expected credentials: one in a header, or two for Basic authentication.
    secrets: tuple[str, ...]
    key_header = ""
    #: Maximum number of requests in a sliding window, and its length in seconds.
    rate: tuple[int, float] | None = None
    #: Whether responses have rate-limit headers.
    sends_rate = False

    def __init__(self, dataset: Dataset, *, url: str, credentials: Credentials) -> None:
        self.dataset = dataset
        self.url = url
        self.credentials = credentials

    def admits(self, request: Request) -> bool:
        """Whether the request has the right credentials."""
        wanted = tuple(getattr(self.credentials, name) for name in self.secrets)
        if self.key_header:
            return (request.headers.get(self.key_header),) == wanted
        return basic_credentials(request) == wanted

    def find_extra(self, path: str, request: Request) -> tuple[ExtraList, list[Row]]:
        """Return the list beyond the specifications at a path, with its rows.

        Raises `Refused` for an unknown path, or for a parent that doesn't exist.
        """
        try:
            found = find(self.name, path, self.dataset)
        except KeyError:
            found = None
        if found is None:
            raise not_found(request)
        return found

    @abstractmethod
    def respond(self, request: Request) -> Response:
        """Respond to an authenticated GET request; raises `Refused` for an error response."""


def basic_credentials(request: Request) -> tuple[str, ...]:
    """Return user name and password of a Basic authorization, or nothing."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ()
    user, colon, password = decoded.partition(":")
    return (user, password) if colon and scheme.lower() == "basic" else ()


def error_body(path: str, status: int, message: str) -> Row:
    """Return an error in the format of the API that a path belongs to."""
    api = path.split("/")[1]
    if api == "learning":
        title = {401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}
        error = {"status": str(status), "title": title.get(status, "Error"), "detail": message}
        return {"errors": [error]}
    if api == "experimentation":
        return {"_errors": [{"code": status, "message": message}]}
    if api.startswith("wiki") and "/v2/" in path:
        codes = {400: "INVALID_REQUEST_PARAMETER", 401: "UNAUTHORIZED", 404: "NOT_FOUND"}
        code = codes.get(status, "ERROR")
        return {"errors": [{"status": status, "code": code, "title": message, "detail": None}]}
    if api.startswith("wiki"):
        return {"statusCode": status, "message": message}
    return {"error": message}


def int_param(
    params: t.Mapping[str, str], name: str, *, default: int, least: int = 0, most: int | None = None
) -> int:
    """Read a whole number from the query; one above `most` is silently clamped, as services do.

    Raises `Refused` for anything else, and for a number below `least`.
    """
    text = params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS) or int(text) < least:
        raise Refused(400, f"{name} must be a whole number from {least} on, not {text!r}")
    return int(text) if most is None else min(int(text), most)


def choice_param(name: str, value: str | None, known: t.Collection[str]) -> str | None:
    """Return a parameter that must have one of the known values, or be absent."""
    if value is not None and value not in known:
        raise Refused(400, f"{name} {value!r} is not one of {', '.join(known)}")
    return value


def encode_cursor(value: object) -> str:
    """Return an opaque cursor that ends in `=`, so that clients must URL-encode it."""
    text = json.dumps(value, separators=(",", ":"))
    while len(text.encode()) % 3 == 0:
        text += " "
    return base64.b64encode(text.encode()).decode()


def decode_cursor(text: str) -> t.Any:  # noqa: ANN401 - each API checks its own cursors
    """Decode a cursor; raises `Refused` for an invalid one."""
    try:
        return json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise Refused(400, "the cursor is not valid") from None


class Ordered:
    """Rows in ascending order of a unique key; a page is found by the key before it."""

    def __init__(self, rows: t.Iterable[Row], key: t.Callable[[Row], Key]) -> None:
        self.rows = sorted(rows, key=key)
        self.keys = [key(row) for row in self.rows]

    def page(
        self, *, after: object, limit: int, descending: bool = False
    ) -> tuple[t.Sequence[Row], bool]:
        """Return the rows after the key of a cursor, and whether more rows follow."""
        if after is not None:
            kinds = [str] * len(self.keys[0]) if self.keys else None
            if not isinstance(after, list) or kinds not in (None, [type(part) for part in after]):
                raise Refused(400, "the cursor is not valid for this list")
            after = tuple(after)
        if descending:
            stop = len(self.rows) if after is None else bisect_left(self.keys, after)
            start = max(0, stop - limit)
            return self.rows[start:stop][::-1], start > 0
        start = 0 if after is None else bisect_right(self.keys, after)
        return self.rows[start : start + limit], start + limit < len(self.rows)
