"""Injected faults: which requests they affect, how often, and what happens.

A fault either replaces the response, here, or disturbs its transmission, in the connection.
"""

from __future__ import annotations

import gzip
import json
import re
import typing as t
from dataclasses import dataclass, field, fields

from tap_analytics.demo.dialects.service import error_body
from tap_analytics.demo.messages import Response

if t.TYPE_CHECKING:
    from tap_analytics.demo.messages import Request

JSON: t.TypeAlias = dict[str, t.Any] | list[t.Any] | str | float | None
LOGIN_PAGE = b"<!doctype html><title>Sign in</title><h1>Please sign in</h1>"
#: Parts of a request that a fault can match.
MATCHED = ("method", "path", "params")
#: Actions that the connection performs while sending.
ON_THE_WIRE = ("delay", "cut", "reset", "reset_mid", "drip", "hang")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """An injected fault.

    Attributes:
        match: `path` a regular expression to be found in the decoded path, `method` a method,
            `params` values that query parameters must have (None: must be absent). Empty: any.
        action: What happens, see `ON_THE_WIRE` and `REPLACEMENTS`.
        times: Number of matching requests it affects; None for all.
        after: Number of matching requests before the first affected one.
        status: Status of `status`, `redirect` and `redirect_loop`.
        headers: Headers added to the response of `status`.
        body: Body of `status`, `wrong_type` and `in_band`: a string as is, anything else as JSON.
        seconds: Duration of `delay`.
        size: Bytes that `cut`, `reset_mid`, `truncate_json` and `gzip_cut` send (default:
            half of them), or that `drip` sends per second.
        url: Target of `redirect`.
    """

    action: str = "status"
    match: t.Mapping[str, t.Any] = field(default_factory=dict)
    times: int | None = 1
    after: int = 0
    status: int | None = None
    headers: t.Mapping[str, str] = field(default_factory=dict)
    body: JSON = None
    seconds: float = 0.2
    size: int | None = None
    url: str = ""

    def __post_init__(self) -> None:
        _check_known("fault action", [self.action], (*ON_THE_WIRE, *REPLACEMENTS))
        _check_known("fault match", self.match, MATCHED)
        try:
            re.compile(self.match.get("path", ""))
        except re.error as wrong:
            raise ValueError(f"fault match path is no regular expression: {wrong}") from None
        for name in ("times", "after", "status", "seconds", "size"):
            if not isinstance(getattr(self, name), int | float | None):
                raise ValueError(f"fault {name} must be a number")  # noqa: TRY004 - one error type for bad data

    @classmethod
    def parse(cls, given: Fault | t.Mapping[str, t.Any]) -> Fault:
        """Read a fault from JSON, its keys being the attributes.

        Raises `ValueError` for an unknown key, match or action.
        """
        if isinstance(given, Fault):
            return given
        if not isinstance(given, dict):
            raise ValueError(f"a fault is an object, not {given!r}")  # noqa: TRY004 - one error type for bad data
        _check_known("fault key", given, [attribute.name for attribute in fields(cls)])
        return cls(**given)

    def meets(self, request: Request) -> bool:
        """Whether the fault matches a request."""
        params = self.match.get("params", {})
        return (
            self.match.get("method", request.method) == request.method
            and re.search(self.match.get("path", ""), request.path) is not None
            and all(request.params.get(name) == value for name, value in params.items())
        )

    def part(self, data: bytes) -> int:
        """Return the number of bytes to send."""
        return min(len(data) // 2 if self.size is None else self.size, len(data))

    def content(self, *, otherwise: JSON) -> bytes:
        """Return the configured body, or a default."""
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(otherwise if self.body is None else self.body).encode()


def _check_known(what: str, given: t.Iterable[str], known: t.Collection[str]) -> None:
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"{what} {unknown[0]!r} is unknown; known are {', '.join(known)}")


class Faults:
    """Faults in order; each request gets the first active one."""

    def __init__(self, given: t.Iterable[Fault | t.Mapping[str, t.Any]] = ()) -> None:
        self._faults = [Fault.parse(fault) for fault in given]
        self._met = [0] * len(self._faults)

    def due(self, request: Request) -> Fault | None:
        """Return the fault for a request, and count the request."""
        for number, fault in enumerate(self._faults):
            if not fault.meets(request):
                continue
            self._met[number] += 1
            turn = self._met[number] - fault.after
            if turn > 0 and (fault.times is None or turn <= fault.times):
                return fault
        return None


def altered(fault: Fault, *, request: Request, response: Response) -> Response:
    """Return the replaced response; transmission faults don't change it."""
    replace = REPLACEMENTS.get(fault.action)
    return replace(fault, request, response) if replace else response


def _status(fault: Fault, request: Request, _: Response) -> Response:
    status = fault.status or 503
    body = fault.content(otherwise=error_body(request.path, status, "made to fail"))
    return Response(status=status, body=body, headers=fault.headers)


def _gzip_cut(fault: Fault, _: Request, response: Response) -> Response:
    packed = gzip.compress(response.body, mtime=0)
    return Response(body=packed[: fault.part(packed)], headers={"Content-Encoding": "gzip"})


def _redirect(fault: Fault, location: str) -> Response:
    return Response(status=fault.status or 302, headers={"Location": location})


def _in_band(fault: Fault, request: Request, _: Response) -> Response:
    path = "/wiki/v2/" if request.path.startswith("/wiki") else request.path
    return Response(body=fault.content(otherwise=error_body(path, 500, "made to fail")))


#: The actions that replace a response.
REPLACEMENTS: dict[str, t.Callable[[Fault, Request, Response], Response]] = {
    "status": _status,
    "truncate_json": lambda fault, _, response: Response(
        status=response.status, body=response.body[: fault.part(response.body)]
    ),
    "empty": lambda *_: Response(),
    "html": lambda *_: Response(body=LOGIN_PAGE, content_type="text/html; charset=utf-8"),
    "wrong_type": lambda fault, *_: Response(body=fault.content(otherwise="all is well")),
    "gzip_cut": _gzip_cut,
    "redirect": lambda fault, *_: _redirect(fault, fault.url),
    "redirect_loop": lambda fault, request, _: _redirect(fault, request.target),
    "in_band": _in_band,
}
