"""What the doctor has found about streams and APIs, and the settings that follow from it."""

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
    """One thing found, in a sentence without the stream's name, and what would settle it."""

    #: For programs; findings of one code and text are shown together.
    code: str
    text: str
    _: KW_ONLY
    level: Level
    #: Settings to lay over the API's block, or over its entry in `apis`.
    api: Mapping[str, t.Any] = field(default_factory=dict)
    #: Words to lay over the declaration of the resource.
    resource: Mapping[str, t.Any] = field(default_factory=dict)
    #: Words to lay over the resource's paginator; with `type` they take its place.
    paginator: Mapping[str, t.Any] = field(default_factory=dict)
    #: What it has in common with others of its code that are worded differently.
    group: str = ""


#: Makes the exit code 1.
wrong = partial(Finding, level="wrong")
#: Could be better, but loses nothing.
warning = partial(Finding, level="warning")
#: Is good to know.
note = partial(Finding, level="note")


def sentence(text: str) -> str:
    """Return a text with a capital letter and a full stop."""
    end = "" if text.endswith((".", "!", "?")) else "."
    return f"{text[:1].upper()}{text[1:]}{end}"


@dataclass(kw_only=True)
class StreamReport:
    """What is known of one stream; the cells of the table are short words."""

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
    #: Why the stream was not asked.
    unchecked: str = ""
    #: Settings that follow for the resource of a declared stream.
    resource: Settings = field(default_factory=dict)

    @property
    def is_wrong(self) -> bool:
        """Whether anything was found that makes the exit code 1."""
        return any(finding.level == "wrong" for finding in self.findings)

    @property
    def result(self) -> str:
        """The worst of what was found, as the table shows it."""
        if self.is_wrong or self.unchecked:
            return "wrong" if self.is_wrong else "not checked"
        is_warned = any(finding.level == "warning" for finding in self.findings)
        return "warning" if is_warned else "ok"


@dataclass(kw_only=True)
class ApiReport:
    """What is known of one API: what holds for all of it, and its streams."""

    name: str
    base_url: str
    is_declared: bool
    #: Whether requests are signed at all.
    has_credential: bool = True
    #: Whether the credential is accepted; None where no response shows it.
    credential: bool | None = None
    findings: list[Finding] = field(default_factory=list)
    streams: list[StreamReport] = field(default_factory=list)

    @property
    def rate_headers(self) -> dict[str, str]:
        """Headers about the rate, of the last stream that got any."""
        found = [stream.rate_headers for stream in self.streams if stream.rate_headers]
        return found[-1] if found else {}

    @property
    def everything(self) -> list[tuple[Finding, list[str]]]:
        """All findings, each once, with the streams it concerns (none: the whole API)."""
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
        """The settings that follow from the findings, as part of a configuration."""
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
    """Whether anything was found that makes the exit code 1."""
    return any(finding.level == "wrong" for api in apis for finding, _ in api.everything)


def patch_of(apis: Iterable[ApiReport]) -> Settings:
    """Return one configuration fragment with the settings that follow from all findings."""
    return reduce(merged, (api.patch for api in apis), Settings())


def merged(config: Mapping[str, t.Any], patch: Mapping[str, t.Any]) -> Settings:
    """Lay a fragment over a configuration, as users are to do it.

    Objects are merged word by word, but a `paginator` is replaced; entries of lists are found by
    their `name`; what is written as a text alone is the `path`, or the `name`, of its object.
    """
    result = dict(config)
    for word, value in patch.items():
        before = result.get(word)
        if isinstance(value, dict) and word != "paginator":
            result[word] = merged(
                {"path": before} if isinstance(before, str) else before or {}, value
            )
        elif isinstance(value, list) and isinstance(before, (list, tuple)):
            result[word] = _merged_lists(before, value)
        else:
            result[word] = value
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
