"""What the tap says when something is wrong: its messages by phase, and what to do by cause."""

from __future__ import annotations

import typing as t

from handbook.markdown import code, table
from handbook.messages import Message, collect
from tap_analytics.transport.answer import HINTS

if t.TYPE_CHECKING:
    from collections.abc import Iterator

#: The parts of the code by what happens there; whatever is not named reads pages and rows.
PHASES = {
    "Before the first request": (
        *("errors.py", "command.py", "inputs.py", "tap.py", "settings", "declarations"),
    ),
    "Requests and answers": ("transport", "auth.py", "payload.py", "client.py"),
    "Pages and rows": (),
    "The end of a run": ("extraction.py", "sync.py", "writer.py", "summary.py"),
    "The tap's own commands": ("cli.py", "commands"),
}


def messages() -> Iterator[str]:
    """Describe every message, by the phase of a run in which it comes."""
    phases: dict[str, list[Message]] = {title: [] for title in PHASES}
    for message in collect():
        unit = message.module.partition("/")[0]
        title = next((name for name, units in PHASES.items() if unit in units), "Pages and rows")
        phases[title].append(message)
    head = ("Message", "When", "What to do")
    for title, found in phases.items():
        found.sort(key=lambda message: (_place(title, message), message.module, message.line))
        if found:
            yield f"### {title}"
            yield ""
            yield from table(head, [(quoted(m.text), when(m), cell(m.hint)) for m in found])
            yield ""


def _place(title: str, message: Message) -> int:
    units = PHASES[title]
    unit = message.module.partition("/")[0]
    return units.index(unit) if unit in units else 0


def when(message: Message) -> str:
    """Tell when a message comes: which error it is, or that it is none."""
    told = {
        "warning": "a warning: the run goes on",
        "part": "a part of a message",
        "problem": "a problem of the configuration",
        "finding": "a finding of `tap-analytics doctor`",
    }
    return told.get(message.kind) or cell(message.when.rstrip("."))


def hints() -> Iterator[str]:
    """Say what to do by the cause of a failed request."""
    rows = [(code(cause), cell(hint.replace("{name}", "⟨name⟩"))) for cause, hint in HINTS.items()]
    yield from table(("Cause", "What to do"), rows)


def cell(text: str) -> str:
    """Set a text as it is in a table."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def quoted(text: str) -> str:
    """Set a message that may hold backticks as code in a table."""
    text = text.replace("|", "\\|")
    return f"`` {text} ``" if "`" in text else f"`{text}`"
