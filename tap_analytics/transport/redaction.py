"""Redacts secrets, known by value, in all text that leaves the process.

`install` hooks into log records, tracebacks and warnings. Records are redacted when created, so
they are safe under any logging configuration. Control characters are escaped too, so that
external text can't forge log lines or control a terminal.
"""

from __future__ import annotations

import base64
import logging
import math
import sys
import textwrap
import threading
import traceback
import typing as t
import warnings
import weakref
from collections import defaultdict

from tap_analytics.transport.encodings import SHORTEST, SearchTexts, Unescaped, short_values

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    _Hook: t.TypeAlias = Callable[..., t.Any]
    #: What is shown before an error, the error, and its frames.
    _Shown: t.TypeAlias = tuple[str, BaseException | None, TracebackType | None]

MASK = "***"
_SHORT_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
#: Number of tokens kept per authenticator: the current one and the last ones.
_TOKENS = 16


class Secrets:
    """The secrets of one run; thread-safe."""

    def __init__(self) -> None:
        self._kept: dict[str, SearchTexts] = {}
        self._tokens: defaultdict[str, dict[str, SearchTexts]] = defaultdict(dict)
        self._short: set[str] = set()
        self._all: tuple[SearchTexts, ...] = ()
        self._short_pattern = short_values(())
        self._lock = threading.Lock()

    def add(self, value: str) -> None:
        """Register a secret, and its base64."""
        if len(value) >= SHORTEST:
            self._register(self._kept, value)
        elif value.strip():
            with self._lock:
                self._short.add(value)
                self._short_pattern = short_values(self._short)

    def add_basic(self, username: str, password: str) -> None:
        """Register the password, and the pair as text and as the header's token."""
        self.add(password)
        if username or password:
            pair = f"{username}:{password}"
            self.add(pair)
            self.add(base64.b64encode(pair.encode("utf-8", "surrogatepass")).decode().rstrip("="))

    def add_token(self, value: str, *, of: str) -> None:
        """Register a token that will be renewed: only the latest ones are kept."""
        if len(value) >= SHORTEST:
            self._register(self._tokens[of], value, most=_TOKENS)
        else:
            self.add(value)

    def redact(self, text: str) -> str:
        """Replace every secret in `text` by `***`."""
        parts: list[str] = []
        done = 0
        for start, end in sorted(self._spans(text)):
            if start > done or not parts:
                parts += text[done:start], MASK
            done = max(done, end)
        return "".join([*parts, text[done:]]) if parts else text

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Return the spans of secrets, in any order; they may overlap."""
        known, short = self._all, self._short_pattern
        spans = [span for each in known for span in each.in_text(text)]
        spans += [match.span("value") for match in short.finditer(text)]
        unescaped = Unescaped(text)
        if unescaped.text == text:
            return spans
        originals = [
            unescaped.origin(*at) for each in known for at in each.in_unescaped(unescaped.text)
        ]
        # A secret of backslashes is short when unescaped: the original length counts.
        spans += [span for span in originals if span[1] - span[0] >= SHORTEST]
        spans += [
            unescaped.origin(*match.span("value")) for match in short.finditer(unescaped.text)
        ]
        return spans

    def _register(
        self, group: dict[str, SearchTexts], value: str, *, most: float = math.inf
    ) -> None:
        if value in group:
            # The latest ones are kept.
            with self._lock:
                group[value] = group.pop(value)
            return
        if not value.strip():
            return
        texts = SearchTexts.of(value)
        with self._lock:
            group[value] = texts
            if len(group) > most:
                del group[next(iter(group))]
            tokens = (each for latest in self._tokens.values() for each in latest.values())
            self._all = (*self._kept.values(), *tokens)


#: Registries whose secrets are replaced, as long as their run exists.
_registries: weakref.WeakSet[Secrets] = weakref.WeakSet()
_hooks: weakref.WeakSet[_Hook] = weakref.WeakSet()


def redact(text: str) -> str:
    """Return `text` without the secrets of any installed registry."""
    for secrets in list(_registries):
        text = secrets.redact(text)
    return text


def escaped(text: str) -> str:
    """Return `text` with what isn't printable, line breaks included, escaped as JSON does."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def clean_line(text: str) -> str:
    """Return `text` as one line that is safe to show."""
    return escaped(redact(text))


def clean_lines(text: str) -> str:
    """Return `text` as it is safe to show, its line breaks as they are."""
    return "\n".join(map(escaped, redact(text).split("\n")))


def install(secrets: Secrets) -> None:
    """Redact `secrets` in log records, tracebacks and warnings of this process.

    A second call changes nothing, except where a hook has been replaced since.
    """
    _registries.add(secrets)
    if (factory := logging.getLogRecordFactory()) not in _hooks:
        logging.setLogRecordFactory(_hook(_clean_factory(factory)))
    for module, name, wrap in (
        (logging.Logger, "makeRecord", _clean_make_record),
        (sys, "excepthook", _clean_hook(lambda _, error, frames: ("", error, frames))),
        (threading, "excepthook", _clean_hook(_thread_error)),
        (sys, "unraisablehook", _clean_hook(_unraisable_error)),
        (warnings, "showwarning", _clean_showwarning),
    ):
        current = getattr(module, name)
        if current not in _hooks:
            setattr(module, name, _hook(wrap(current)))


def _hook(hook: _Hook) -> _Hook:
    _hooks.add(hook)
    return hook


def _escape(character: str) -> str:
    if short := _SHORT_ESCAPES.get(character):
        return short
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _clean_factory(inner: _Hook) -> _Hook:
    def factory(*args: object, **kwargs: object) -> logging.LogRecord:
        record: logging.LogRecord = inner(*args, **kwargs)
        _clean_message(record)
        _clean_traceback(record)
        return record

    return factory


def _clean_make_record(inner: _Hook) -> _Hook:
    # Fields given as `extra` are put into the record after the factory has made it.
    known = frozenset(vars(logging.makeLogRecord({})))

    def make_record(*args: object, **kwargs: object) -> logging.LogRecord:
        record: logging.LogRecord = inner(*args, **kwargs)
        for name, value in list(vars(record).items()):
            if name not in known:
                setattr(record, name, _clean(value))
        return record

    return make_record


def _clean_hook(read: Callable[..., _Shown]) -> Callable[[_Hook], _Hook]:
    """Return a wrapper for a hook that prints an error; `read` takes it from the arguments."""

    def wrap(inner: _Hook) -> _Hook:
        def hook(*args: object) -> None:
            before, error, frames = read(*args)
            if error is not None and (_shows_secret(error, frames) or _is_secret(before)):
                if sys.stderr is not None:
                    sys.stderr.write(f"{clean_lines(before)}{_formatted(error, frames)}")
            else:
                inner(*args)

        return hook

    return wrap


def _thread_error(args: threading.ExceptHookArgs) -> _Shown:
    name = args.thread.name if args.thread else "unknown"
    return f"Exception in thread {name}:\n", args.exc_value, args.exc_traceback


def _unraisable_error(args: sys.UnraisableHookArgs) -> _Shown:
    where = f"{args.err_msg or 'Exception ignored in'}: {_shown(args.object)}\n"
    return where, args.exc_value, args.exc_traceback


def _clean_showwarning(inner: _Hook) -> _Hook:
    def showwarning(message: Warning | str, *args: object, **kwargs: object) -> None:
        text = str(message)
        inner(redact(text) if _is_secret(text) else message, *args, **kwargs)

    return showwarning


def _clean_message(record: logging.LogRecord) -> None:
    """Render a message that shows a secret, or whose arguments do."""
    shown = _shown(record.args)
    try:
        text = record.getMessage()
    except Exception:  # noqa: BLE001 - else each handler would print its arguments and a traceback
        record.msg, record.args = clean_line(f"{record.msg} {shown}"), ()
    else:
        if not text.isprintable() or _is_secret(text) or _is_secret(shown):
            record.msg, record.args = clean_line(text.rstrip("\n")), ()


def _clean_traceback(record: logging.LogRecord) -> None:
    """Replace a traceback that shows a secret, in its text or a variable, by its redacted text.

    So is one whose error has several lines, which could be taken for lines of the log.
    """
    if record.stack_info:
        record.stack_info = clean_lines(record.stack_info)
    if record.exc_info and record.exc_info[1] is not None:
        error, frames = record.exc_info[1:]
        if _shows_secret(error, frames) or not all(map(_is_printable, _chain(error))):
            text = textwrap.indent(_formatted(error, frames).rstrip("\n"), "  ")
            record.exc_info, record.exc_text = None, text


def _clean(value: object) -> object:
    """Return `value` without secrets; text becomes one line."""
    if isinstance(value, str):
        return clean_line(value)
    if not _is_secret(_shown(value)):
        return value
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    return redact(_shown(value))


def _is_printable(error: BaseException) -> bool:
    try:
        return str(error).isprintable()
    except Exception:  # noqa: BLE001 - `repr` of any object may fail
        return False


def _is_secret(text: str) -> bool:
    return redact(text) != text


def _shown(value: object) -> str:
    """Return the `repr` and the text of a value."""
    try:
        return f"{value!r}" if isinstance(value, str) else f"{value!r} {value!s}"
    except Exception:  # noqa: BLE001 - `repr` of any object may fail
        return f"<{type(value).__name__}>"


def _shows_secret(error: BaseException, frames: TracebackType | None) -> bool:
    """Whether a traceback that also shows variables would show a secret."""
    try:
        return any(map(_is_secret, _texts_of(error, frames)))
    except Exception:  # noqa: BLE001 - a variable without a `repr` may hold a secret
        return True


def _texts_of(error: BaseException, frames: TracebackType | None) -> Iterator[str]:
    """Yield what a formatter may show of an error: texts, notes, frames, variables."""
    stacks = [frames]
    for each in _chain(error):
        yield _shown(each)
        yield from map(str, getattr(each, "__notes__", ()))
        stacks.append(each.__traceback__)
    for stack in stacks:
        walk = traceback.walk_tb(stack)
        yield from traceback.StackSummary.extract(walk, capture_locals=True).format()


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield `error`, its causes and contexts, and the members of groups."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions


def _formatted(error: BaseException, frames: TracebackType | None) -> str:
    return clean_lines("".join(traceback.format_exception(type(error), error, frames)))
