"""HTTP/1.1 messages: a strict request parser, and encoding of responses."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, lru_cache
from http import HTTPStatus
from urllib.parse import unquote

MAX_HEAD = 65_536
#: Size of the cache of parsed request heads.
KEPT = 20_000
_REQUEST_LINE = re.compile(r"([A-Z]+) (/[!-~]*) HTTP/1\.([01])")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# The standard encoder has no hook for the text of a number, so a Decimal becomes a marked string
# (no text of the demo starts with NUL) whose quotes are removed afterwards.
_MARKED = re.compile(r'"\\u0000(-?[0-9.]+)"')


def encode(value: object) -> bytes:
    """Return compact UTF-8 JSON; a `Decimal` is written digit for digit, with trailing zeros."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_marked)
    return _MARKED.sub(r"\1", text).encode()


def _marked(value: object) -> str:
    if isinstance(value, Decimal):
        return f"\x00{value:f}"
    raise TypeError(f"{type(value).__name__} has no JSON form")


class Malformed(Exception):  # noqa: N818 - it becomes a response and is never shown to a user
    """The request is malformed."""

    def __init__(self, message: str, *, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = int(status)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request; header names are in lower case, path and parameters are decoded."""

    method: str
    target: str
    path: str
    params: t.Mapping[str, str]
    headers: t.Mapping[str, str]
    keep_alive: bool
    body: bytes = b""

    @cached_property
    def body_size(self) -> int:
        """The `Content-Length`; raises `Malformed` if it isn't a number."""
        size = self.headers.get("content-length", "0")
        if not size.isascii() or not size.isdigit():
            raise Malformed("Content-Length is not a number")
        return int(size)


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response; its encoding is cached."""

    status: int = 200
    body: bytes = b""
    headers: t.Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    @classmethod
    def json(
        cls, value: object, *, status: int = 200, headers: t.Mapping[str, str] | None = None
    ) -> Response:
        """Return a response with a JSON body."""
        return cls(status=status, body=encode(value), headers=headers or {})

    @cached_property
    def status_line(self) -> bytes:
        """The status line."""
        reason = next((each.phrase for each in HTTPStatus if each == self.status), "Status")
        return f"HTTP/1.1 {self.status} {reason}\r\n".encode()

    @cached_property
    def head(self) -> bytes:
        """The headers after the date, and the empty line."""
        lines = {"Content-Type": self.content_type, "Content-Length": str(len(self.body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **self.headers}.items())
        return f"{head}\r\n".encode("latin-1")


@lru_cache(maxsize=KEPT)
def read_head(block: bytes) -> Request:
    """Parse the head of a request, without the empty line at its end.

    Raises `Malformed` for anything that violates RFC 9112.
    """
    first, *lines = block.decode("latin-1").split("\r\n")
    if not (match := _REQUEST_LINE.fullmatch(first)):
        raise Malformed("the request line is not `METHOD /target HTTP/1.1` in printable ASCII")
    method, target, minor = match.groups()
    headers = _headers(lines)
    if minor == "1" and "host" not in headers:
        raise Malformed("the Host header is missing")
    if "transfer-encoding" in headers:
        raise Malformed("a body needs a Content-Length here", status=HTTPStatus.LENGTH_REQUIRED)
    if "#" in target:
        raise Malformed("a fragment does not belong into a request")
    path, _, query = target.partition("?")
    return Request(
        method=method,
        target=target,
        path=_decoded(path),
        params=_params(query),
        headers=headers,
        keep_alive=minor == "1" and headers.get("connection", "").lower() != "close",
    )


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        if not (match := _HEADER.fullmatch(line)):
            raise Malformed("a header line is not `Name: value`")
        name = match[1].lower()
        if name in headers:
            raise Malformed(f"the header {name} is sent twice")
        headers[name] = match[2].rstrip(" \t")
    return headers


def _params(query: str) -> dict[str, str]:
    params: dict[str, str] = {}
    for pair in query.replace("+", " ").split("&") if query else ():
        name, value = map(_decoded, pair.partition("=")[::2])
        if not name or name in params:
            raise Malformed(f"the query holds {name!r} twice" if name else "the query has a gap")
        params[name] = value
    return params


def _decoded(text: str) -> str:
    if _BAD_PERCENT.search(text):
        raise Malformed("a percent sign is not followed by two hexadecimal digits")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise Malformed("the percent-encoded bytes are not UTF-8") from None
