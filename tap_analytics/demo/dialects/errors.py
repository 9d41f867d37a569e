"""How each API says no."""

from __future__ import annotations

import typing as t

from tap_analytics.demo.http import Answer

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import Row


class Refused(Exception):  # noqa: N818 - it is an answer on its way, never shown to a user
    """A request the API doesn't grant."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def json_api(status: int, message: str) -> Row:
    """Learning: a JSON:API error document."""
    title = {401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}.get(status, "Error")
    return {"errors": [{"status": str(status), "title": title, "detail": message}]}


def underscore(status: int, message: str) -> Row:
    """Experimentation: a list under `_errors`."""
    return {"_errors": [{"code": status, "message": message}]}


def wiki_v1(status: int, message: str) -> Row:
    """Wiki, version 1."""
    return {"statusCode": status, "message": message}


def wiki_v2(status: int, message: str) -> Row:
    """Wiki, version 2: a list whose codes are words."""
    codes = {400: "INVALID_REQUEST_PARAMETER", 401: "UNAUTHORIZED", 404: "NOT_FOUND"}
    code = codes.get(status, "ERROR")
    return {"errors": [{"status": status, "code": code, "title": message, "detail": None}]}


def plain(status: int, message: str) -> Row:  # noqa: ARG001 - the body doesn't repeat the status
    """Success and the declared API: one sentence."""
    return {"error": message}


def body_for(path: str) -> t.Callable[[int, str], Row]:
    """Return the shape of the errors of the API that a path belongs to."""
    first = path.split("/")[1]
    if first.startswith("wiki"):
        return wiki_v2 if "/v2/" in path else wiki_v1
    return {"learning": json_api, "experimentation": underscore}.get(first, plain)


def error(
    path: str, status: int, message: str, headers: t.Mapping[str, str] | None = None
) -> Answer:
    """Return an error in the words of the API that a path belongs to."""
    return Answer.json(body_for(path)(status, message), status=status, headers=headers)
