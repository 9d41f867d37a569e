"""The demo's own paths, below `/_demo/`: for those who run it as a process of its own.

GET   stats             counts; with `?requests=true` every request
GET   rows/<stream>     what a tap has to deliver
GET   config            the tap's configuration
POST  reset             forget what was asked
POST  faults            a JSON list puts other faults in place
POST  mutate            one step of change; `{"at": "2025-07-01T00:00:00Z", "delete": true}`, both
                        optional
"""

from __future__ import annotations

import json
import typing as t
from datetime import datetime
from decimal import Decimal

from tap_analytics.demo.http import Answer

if t.TYPE_CHECKING:
    from tap_analytics.demo.api import DemoApi
    from tap_analytics.demo.http import Request

PREFIX = "/_demo/"


def is_private(request: Request) -> bool:
    """Whether a request is about the demo itself."""
    return request.path.startswith(PREFIX)


def answer(demo: DemoApi, request: Request) -> Answer:
    """Answer a request about the demo; what can't be done is a 400 or 404 that says why."""
    name, _, rest = request.path.removeprefix(PREFIX).partition("/")
    act = ROUTES.get((request.method, name))
    if act is None:
        known = ", ".join(f"{method} {PREFIX}{name}" for method, name in ROUTES)
        message = f"{request.method} {request.path} is unknown; known are {known}"
        return Answer.json({"error": message}, status=404)
    try:
        return Answer.json(act(demo, request, rest))
    except KeyError as missing:
        return Answer.json({"error": missing.args[0]}, status=404)
    except (ValueError, TypeError) as wrong:
        return Answer.json({"error": str(wrong)}, status=400)


def _stats(demo: DemoApi, request: Request, rest: str) -> object:
    del rest
    return demo.stats(with_requests=request.params.get("requests") == "true")


def _rows(demo: DemoApi, request: Request, rest: str) -> object:
    del request
    return demo.rows(rest, parse_float=Decimal)


def _config(demo: DemoApi, request: Request, rest: str) -> object:
    del request, rest
    return demo.config


def _reset(demo: DemoApi, request: Request, rest: str) -> object:
    del request, rest
    demo.reset_counts()
    return {}


def _faults(demo: DemoApi, request: Request, rest: str) -> object:
    del rest
    faults = json.loads(request.body or b"[]")
    if not isinstance(faults, list):
        raise ValueError("the body must be a list of faults")  # noqa: TRY004 - answered as bad data
    demo.set_faults(faults)
    return {"faults": len(faults)}


def _mutate(demo: DemoApi, request: Request, rest: str) -> object:
    del rest
    options = json.loads(request.body or b"{}")
    if not isinstance(options, dict) or set(options) - {"at", "delete"}:
        raise ValueError("the body must be an object with `at` and `delete` at most")
    at = datetime.fromisoformat(options["at"]) if options.get("at") else None
    changes = demo.step(at=at, delete=options.get("delete") is True)
    return {"changed": changes.changed, "deleted": changes.deleted}


ROUTES: dict[tuple[str, str], t.Callable[[DemoApi, Request, str], object]] = {
    ("GET", "stats"): _stats,
    ("GET", "rows"): _rows,
    ("GET", "config"): _config,
    ("POST", "reset"): _reset,
    ("POST", "faults"): _faults,
    ("POST", "mutate"): _mutate,
}
