"""A server for all constructs, each below a path of its own, which records what it is asked for."""

from __future__ import annotations

import json
import typing as t
from collections import Counter, defaultdict
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode

from support.servers import Received, ScriptedServer, reply

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from support.differential.construct import Construct


#: Path that says that the second run of a construct begins.
SECOND = "-second-run"


@dataclass(frozen=True)
class Asked:
    """A request for a construct in the first or second run; `before` counts the same ones."""

    origin: str
    received: Received
    path: str
    run: int
    before: int

    @property
    def query(self) -> dict[str, str]:
        return self.received.query

    @property
    def headers(self) -> t.Mapping[str, str]:
        return self.received.headers

    @property
    def json(self) -> t.Any:
        return json.loads(self.received.body or b"null")

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.received.body.decode(), keep_blank_values=True))

    def number(self, name: str, default: int = 0) -> int:
        return int(self.query.get(name) or default)


class Recorder(ScriptedServer):
    """Answers what the server of a construct returns: a JSON value, (status, value), or bytes."""

    def __init__(self, constructs: Iterable[Construct]) -> None:
        super().__init__(self._handle)
        self._constructs = {each.name: each for each in constructs}
        self._asked: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._second: set[str] = set()

    def origin_of(self, construct: Construct) -> str:
        return f"{self.origin}/{construct.name}"

    def begin_second(self, construct: Construct) -> None:
        self._second.add(construct.name)

    def taken(self, construct: Construct) -> list[str]:
        """Return the requests for a construct as text, sorted, and forget them and the run."""
        self._second.discard(construct.name)
        return sorted(self._asked.pop(construct.name, Counter()).elements())

    def _handle(self, received: Received) -> bytes:
        name, _, path = received.path.removeprefix("/").partition("/")
        if path == SECOND:
            self._second.add(name)
            return reply()
        construct = self._constructs[name]
        is_second = name in self._second
        text = written(received, f"/{path}", construct.headers)
        text = f"again {text}" if is_second else text
        before = self._asked[name][text]
        asked = Asked(f"{self.origin}/{name}", received, f"/{path}", 1 + is_second, before)
        self._asked[name][text] += 1
        answer = construct.server(asked)
        if isinstance(answer, bytes):
            return answer
        status, value = answer if isinstance(answer, tuple) else (200, answer)
        return reply(status, json.dumps(value).encode(), Content_Type="application/json")


def with_headers(value: t.Any, **headers: str) -> bytes:
    """Return a response with further headers."""
    named = {name.replace("-", "_"): text for name, text in headers.items()}
    return reply(200, json.dumps(value).encode(), Content_Type="application/json", **named)


def written(received: Received, path: str, headers: Iterable[str]) -> str:
    """Return a request in one way of writing it: parameters in order, what may be encoded is."""
    path = "/".join(quote(unquote(part), safe="") for part in path.split("/"))
    query = urlencode(sorted(received.pairs), quote_via=quote)
    parts = [received.method, f"{path}?{query}" if query else path]
    parts += [
        f"{name}: {received.headers[name.lower()]}"
        for name in headers
        if name.lower() in received.headers
    ]
    if received.body:
        parts.append(_body(received))
    return " ".join(parts)


def _body(received: Received) -> str:
    if "json" in received.headers.get("content-type", ""):
        return json.dumps(json.loads(received.body), sort_keys=True)
    return urlencode(sorted(parse_qsl(received.body.decode(), keep_blank_values=True)))
