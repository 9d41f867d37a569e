"""The doctor as the command line runs it, and servers with one symptom each."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from support import runs
from support.runs import declared
from support.servers import JsonApi
from tap_analytics.commands.doctor import main
from tap_analytics.commands.doctor.findings import merged
from tap_analytics.commands.doctor.probe import BUDGET

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STREAM = "shop_items"
#: Requests for a stream that nothing is wrong with.
FEW = 5


@dataclass(frozen=True)
class Report:
    """What the doctor said, and how it ended."""

    code: int
    data: dict[str, t.Any]

    @property
    def patch(self) -> dict[str, t.Any]:
        return self.data["patch"]

    @property
    def resource(self) -> dict[str, t.Any]:
        """The suggested words of the one declared resource, without its name."""
        [api] = self.patch["apis"]
        [resource] = api["resources"]
        return {word: value for word, value in resource.items() if word != "name"}

    @property
    def paginator(self) -> dict[str, t.Any]:
        return self.resource["endpoint"]["paginator"]

    @property
    def findings(self) -> list[tuple[str, str]]:
        """(level, code) of all findings, in order."""
        found = [finding for api in self.data["apis"] for finding in api["findings"]]
        return [(finding["level"], finding["code"]) for finding in found]

    @property
    def texts(self) -> str:
        found = [finding for api in self.data["apis"] for finding in api["findings"]]
        return "\n".join(finding["text"] for finding in found)

    def stream(self, name: str = STREAM) -> dict[str, t.Any]:
        streams = [stream for api in self.data["apis"] for stream in api["streams"]]
        return next(stream for stream in streams if stream["name"] == name)


class Doctor:
    """Runs the command in this process."""

    def __init__(self, folder, capsys) -> None:
        self._folder, self._capsys = folder, capsys

    def __call__(self, config: Mapping[str, t.Any], *options: str) -> Report:
        code, out = self.say(config, "--json", *options)
        return Report(code, json.loads(out))

    def say(self, config: Mapping[str, t.Any], *options: str) -> tuple[int, str]:
        """Return the exit code and what stands on standard output."""
        path = self._folder / "config.json"
        path.write_text(json.dumps(config), "utf-8")
        self._capsys.readouterr()
        code = main(["--config", str(path), *options])
        captured = self._capsys.readouterr()
        self.errors = captured.err
        return code, captured.out

    def check_patch(
        self,
        answer: Callable[[dict[str, str]], t.Any],
        *,
        rows: int,
        wrong: bool = True,
        stream: str = STREAM,
        key: str = "id",
        **resource: t.Any,
    ) -> Report:
        """Check a server, apply the suggested settings, and check that there are no further ones.

        With the patch a run reads every row once; without a problem there are few requests.
        """
        with JsonApi(answer) as api:
            config = declared(api.origin, **resource)
            report = self(config)
            assert len(api.requests) <= BUDGET
            assert report.code == (1 if wrong else 0), report.texts
            assert self.errors == "", "what is wrong is in the report"
            patched = merged(config, report.patch)
            api.requests.clear()
            again = self(patched)
            assert len(api.requests) <= FEW
            assert (again.code, again.patch) == (0, {}), again.texts
            done = runs.run(patched)
            assert done.error is None, done.failure(stream)
            assert [record[key] for record in done.records(stream)] == list(range(1, rows + 1))
        return report


def items(count: int) -> list[dict[str, t.Any]]:
    """Return rows with ids from 1, each with the time of its last change."""
    return [
        {
            "id": number,
            "name": f"Item {number}",
            "updated_at": f"2026-01-01T00:{number % 60:02}:00Z",
        }
        for number in range(1, count + 1)
    ]


def cut(rows: list[t.Any], query: Mapping[str, str], *, most: int = 1000) -> list[t.Any]:
    """Return the page that `offset` and `limit` name."""
    start, limit = int(query.get("offset", 0)), min(most, int(query.get("limit", 100)))
    return rows[start : start + limit]
