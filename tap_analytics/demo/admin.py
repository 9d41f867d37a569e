"""Paths below `/_demo/`, to control a demo that runs as a separate process.

GET   stats             counts; with `?requests=true` every request
GET   rows/<stream>     the expected rows of a stream
GET   config            the tap's configuration
POST  reset             clear the request log
POST  faults            replace the faults by a JSON list
POST  mutate            one change; `{"at": "2025-07-01T00:00:00Z", "delete": true}`, both
                        optional
"""

from __future__ import annotations

import json
import typing as t
from datetime import datetime

from tap_analytics.demo.messages import Response

if t.TYPE_CHECKING:
    from tap_analytics.demo.messages import Request

PREFIX = "/_demo/"
#: Handlers by method and name; arguments are the request and the rest of its path.
Routes = t.Mapping[tuple[str, str], t.Callable[["Request", str], object]]


def is_private(request: Request) -> bool:
    """Whether the path is below `/_demo/`."""
    return request.path.startswith(PREFIX)


def respond(routes: Routes, request: Request) -> Response:
    """Respond to a request for the demo itself; invalid ones get a 400 or 404 with the reason."""
    name, _, rest = request.path.removeprefix(PREFIX).partition("/")
    act = routes.get((request.method, name))
    if act is None:
        known = ", ".join(f"{method} {PREFIX}{name}" for method, name in routes)
        message = f"{request.method} {request.path} is unknown; known are {known}"
        return Response.json({"error": message}, status=404)
    try:
        return Response.json(act(request, rest))
    except KeyError as missing:
        return Response.json({"error": missing.args[0]}, status=404)
    except (ValueError, TypeError) as wrong:
        return Response.json({"error": str(wrong)}, status=400)


def faults_of(request: Request) -> list[t.Any]:
    """Read a list of faults; raises `ValueError` for anything else."""
    faults = json.loads(request.body or b"[]")
    if not isinstance(faults, list):
        raise ValueError("the body must be a list of faults")  # noqa: TRY004 - answered as bad data
    return faults


def step_of(request: Request) -> dict[str, t.Any]:
    """Read the arguments of a change; raises `ValueError` for anything else."""
    options = json.loads(request.body or b"{}")
    if not isinstance(options, dict) or set(options) - {"at", "delete"}:
        raise ValueError("the body must be an object with `at` and `delete` at most")
    at = datetime.fromisoformat(options["at"]) if options.get("at") else None
    return {"at": at, "delete": options.get("delete") is True}
