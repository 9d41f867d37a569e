"""Findings of the doctor about streams and APIs, and the settings they suggest."""

from __future__ import annotations

import typing as t
from dataclasses import KW_ONLY, dataclass, field
from functools import partial, reduce

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Settings = dict[str, t.Any]


Level = t.Literal["wrong", "warning", "note"]
LEVELS: tuple[Level, ...] = t.get_args(Level)


@dataclass(frozen=True)
class Finding:
    """A finding: a sentence without the stream's name, and the settings that would fix it."""

    #: Machine-readable; findings with the same code and text are shown together.
    code: str
    text: str
    _: KW_ONLY
    level: Level
    #: Settings to merge into the block of the API, or into its entry in `apis`.
    api: Mapping[str, t.Any] = field(default_factory=dict)
    #: Keys to merge into the declaration of the resource.
    resource: Mapping[str, t.Any] = field(default_factory=dict)
    #: Keys to merge into the paginator of the resource; with `type` they replace it.
    paginator: Mapping[str, t.Any] = field(default_factory=dict)
    #: Groups findings of the same code with different texts.
    group: str = ""


#: Makes the exit code 1.
wrong = partial(Finding, level="wrong")
#: Could be better, but no rows are lost.
warning = partial(Finding, level="warning")
#: For information.
note = partial(Finding, level="note")


def sentence(text: str) -> str:
    """Return a text with a capital letter and a full stop."""
    end = "" if text.endswith((".", "!", "?")) else "."
    return f"{text[:1].upper()}{text[1:]}{end}"


@dataclass(kw_only=True)
class StreamReport:
    """Results of one stream, with the cells of its table row."""

    name: str
    path: str
    requests: int = 0
    #: Rows of the first page.
    rows: int | None = None
    paging: str = ""
    total: int | None = None
    key: str = ""
    bookmark: str = ""
    rate_headers: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    #: Why the stream was not checked.
    unchecked: str = ""
    #: Suggested settings of the resource of a declared stream.
    resource: Settings = field(default_factory=dict)

    @property
    def is_wrong(self) -> bool:
        """Whether a finding sets the exit code to 1."""
        return any(finding.level == "wrong" for finding in self.findings)

    @property
    def result(self) -> str:
        """The worst finding, as shown in the table."""
        if self.is_wrong or self.unchecked:
            return "wrong" if self.is_wrong else "not checked"
        is_warned = any(finding.level == "warning" for finding in self.findings)
        return "warning" if is_warned else "ok"


@dataclass(kw_only=True)
class ApiReport:
    """Results of one API and of its streams."""

    name: str
    base_url: str
    is_declared: bool
    #: Whether requests carry a credential.
    has_credential: bool = True
    #: Whether the credential is accepted; None if unknown.
    credential: bool | None = None
    findings: list[Finding] = field(default_factory=list)
    streams: list[StreamReport] = field(default_factory=list)

    @property
    def rate_headers(self) -> dict[str, str]:
        """Rate-limit headers of the last stream that received any."""
        found = [stream.rate_headers for stream in self.streams if stream.rate_headers]
        return found[-1] if found else {}

    @property
    def all_findings(self) -> list[tuple[Finding, list[str]]]:
        """All findings, each once, with the streams it concerns (none: all of the API)."""
        grouped: dict[tuple[str, str], tuple[Finding, list[str]]] = {}
        for finding, name in self._each():
            names = grouped.setdefault(
                (finding.code, finding.group or finding.text), (finding, [])
            )[1]
            names.extend([name] if name and name not in names else [])
        return list(grouped.values())

    def _each(self) -> Iterator[tuple[Finding, str]]:
        yield from ((finding, "") for finding in self.findings)
        for stream in self.streams:
            yield from ((finding, stream.name) for finding in stream.findings)

    @property
    def patch(self) -> Settings:
        """The suggested settings, as part of a configuration."""
        block = reduce(merged, (finding.api for finding, _ in self._each()), Settings())
        if not self.is_declared:
            return {self.name: block} if block else {}
        resources = [
            {"name": stream.name.removeprefix(f"{self.name}_"), **stream.resource}
            for stream in self.streams
            if stream.resource
        ]
        if resources:
            block["resources"] = resources
        return {"apis": [{"name": self.name, **block}]} if block else {}


def is_wrong(apis: Iterable[ApiReport]) -> bool:
    """Whether a finding sets the exit code to 1."""
    return any(finding.level == "wrong" for api in apis for finding, _ in api.all_findings)


def patch_of(apis: Iterable[ApiReport]) -> Settings:
    """Return the suggested settings of all APIs as one configuration."""
    return reduce(merged, (api.patch for api in apis), Settings())


def merged(config: Mapping[str, t.Any], patch: Mapping[str, t.Any]) -> Settings:
    """Merge suggested settings into a configuration, as users do.

    Objects are merged key by key, but a `paginator` is replaced; entries of lists are matched by
    `name`; a string in place of an object is its `path`, or in a list its `name`.
    """
    result = dict(config)
    for key, value in patch.items():
        before = result.get(key)
        if isinstance(value, dict) and key != "paginator":
            result[key] = merged(
                {"path": before} if isinstance(before, str) else before or {}, value
            )
        elif isinstance(value, list) and isinstance(before, (list, tuple)):
            result[key] = _merged_lists(before, value)
        else:
            result[key] = value
    return result


def _merged_lists(before: Sequence[t.Any], patch: Sequence[t.Any]) -> list[t.Any]:
    by_name = {_name(entry): entry for entry in before}
    for entry in patch:
        known = by_name.get(_name(entry))
        if isinstance(entry, dict) and known is not None:
            known = {"name": known} if isinstance(known, str) else known
            by_name[_name(entry)] = merged(known, entry)
        else:
            by_name[_name(entry)] = entry
    return list(by_name.values())


def _name(entry: t.Any) -> t.Any:  # noqa: ANN401 - an entry is an object or a text
    return entry["name"] if isinstance(entry, dict) else entry
