"""Finds a value in a text in any common encoding.

Texts are compared without the escapes of URLs, JSON, `repr` and HTML, nested ones included, in
linear time. Base64 doesn't encode single characters, so its forms are searched separately.
"""

from __future__ import annotations

import base64
import html
import json
import re
import typing as t
from urllib.parse import quote

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

#: Shorter values are often ordinary words, and are found only where a value is expected.
SHORTEST = 4
#: What precedes a value.
_LEAD = r"""[=:]\s*["']?(?:(?:Basic|Bearer|Token)\s+)?"""
#: Minimum length to search for base64 that is part of a longer base64.
_SHORTEST_INNER_BASE64 = 8
#: Maximum number of different nested encodings.
_ROUNDS = 4
_URLSAFE = str.maketrans("+/", "-_")
#: Octets that aren't UTF-8 are Latin-1.
_LATIN = {0xDC00 + octet: octet for octet in range(0x80, 0x100)}
_SPECIAL = re.compile(r"[%&\\\x00-\x09\x0b-\x1f\x7f]")
#: Longest escapes of one character: `%252525…2F`, `&amp;amp;…#47;`, `\\\\…u002f`.
_PERCENT = re.compile(r"(?:%(?:25)*[0-9A-Fa-f]{2})++")
_ENTITY = re.compile(
    r"&(?:amp;)*(#0*[0-9]{1,7}|#[xX]0*[0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
)
_OCTETS = re.compile(r"(?<!\\)(?:\\++x[0-9A-Fa-f]{2})++")
_UNITS = re.compile(r"(?<!\\)(?:\\++(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}))++")
#: Other backslashes are left out: how often they were doubled is unknown.
_BACKSLASHES = re.compile(r"\\++([abfnrtv]?)|[\x00-\x1f\x7f]")


def _unquoted(match: re.Match[str]) -> str:
    return _text(re.findall(r"%(?:25)*([0-9A-Fa-f]{2})", match[0]))


def _unescaped(match: re.Match[str]) -> str:
    return _text(re.findall(r"x(..)", match[0]))


def _text(octets: list[str]) -> str:
    return bytes.fromhex("".join(octets)).decode("utf-8", "surrogateescape").translate(_LATIN)


def _joined(match: re.Match[str]) -> str:
    r"""Return the characters of `\u` escapes; two halves of a surrogate pair are one."""
    codes = [int(code, 16) for code in re.findall(r"[uU]([0-9A-Fa-f]+)", match[0])]
    chars = "".join(chr(min(code, 0x10FFFF)) for code in codes)
    return chars.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _control(match: re.Match[str]) -> str:
    """Return the same character for all control characters, and nothing for backslashes."""
    return "" if match[1] == "" else "\n"


_PASSES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_PERCENT, _unquoted),
    (_ENTITY, lambda match: html.unescape(f"&{match[1]};")),
    (_OCTETS, _unescaped),
    (_UNITS, _joined),
    (_BACKSLASHES, _control),
)


class Unescaped:
    """A text without escapes, with the original position of each character.

    All encodings of a text have the same unescaped text.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts: Sequence[int] = range(len(text))
        self._ends: Sequence[int] = range(1, len(text) + 1)
        for _ in range(_ROUNDS):
            before = self.text
            if _SPECIAL.search(before):
                for pattern, decoded in _PASSES:
                    self._replace(pattern, decoded)
            if self.text == before:
                break

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Return the span in the original text of a span of the unescaped one."""
        return self._starts[start], self._ends[end - 1]

    def _replace(self, pattern: re.Pattern[str], decoded: Callable[[re.Match[str]], str]) -> None:
        parts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for match in pattern.finditer(self.text):
            start, end = match.span()
            new = decoded(match)
            parts += self.text[done:start], new
            starts += [*self._starts[done:start], *[self._starts[start]] * len(new)]
            ends += [*self._ends[done:start], *[self._ends[end - 1]] * len(new)]
            done = end
        if done:
            self.text = "".join([*parts, self.text[done:]])
            self._starts = [*starts, *self._starts[done:]]
            self._ends = [*ends, *self._ends[done:]]


def unescape(text: str) -> str:
    """Return a text without escapes."""
    return Unescaped(text).text


class SearchTexts(t.NamedTuple):
    """The texts to search for to find a value."""

    plain: tuple[str, ...]
    unescaped: tuple[str, ...]

    @classmethod
    def of(cls, value: str) -> SearchTexts:
        """Return the texts of a value that isn't a short one."""
        texts = [form for text in (value, *_base64_forms(value)) for form in _forms(text)]
        plain = dict.fromkeys([*texts, *_encoded(value)])
        return cls(tuple(plain), tuple(filter(None, dict.fromkeys(map(unescape, texts)))))

    def in_text(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the spans of the value in a text."""
        return _occurrences(self.plain, text)

    def in_unescaped(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the spans of the value in an unescaped text."""
        return _occurrences(self.unescaped, text)


def short_values(values: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for short values, which are found only where a value is expected."""
    longest_first = sorted(values, key=lambda value: (-len(value), value))
    choices = "|".join(map(re.escape, longest_first)) or "(?!)"
    return re.compile(rf"{_LEAD}(?P<value>{choices})(?!\w)")


def _occurrences(texts: Iterable[str], text: str) -> Iterator[tuple[int, int]]:
    for each in texts:
        start = text.find(each)
        while start >= 0:
            yield start, start + len(each)
            start = text.find(each, start + len(each))


def _forms(value: str) -> Iterator[str]:
    """Yield the unescaped texts that may represent a value."""
    yield value
    # A space in a query, and URL-safe base64.
    yield value.replace(" ", "+")
    yield value.translate(_URLSAFE)
    # UTF-8 read as Latin-1, as HTTP headers are.
    yield value.encode("utf-8", "surrogatepass").decode("latin-1")


def _encoded(value: str, *, depth: int = 2) -> Iterator[str]:
    """Yield the most common encodings, found even if the characters beside them are escaped."""
    for encoded in (
        quote(value, safe="", errors="surrogatepass"),
        quote(value, errors="surrogatepass"),
        json.dumps(value)[1:-1],
        html.escape(value),
    ):
        yield encoded
        if depth > 1:
            yield from _encoded(encoded, depth=depth - 1)


def _base64_forms(value: str) -> Iterator[str]:
    """Yield the base64 of the value, and the part of it that is the same in longer base64."""
    for encoding in ("utf-8", "latin-1"):
        try:
            octets = value.encode(encoding)
        except UnicodeEncodeError:
            continue
        yield base64.b64encode(octets).decode().rstrip("=")
        for shift in range(3):
            # Three octets are four characters; the first and the last depend on other octets.
            start = -(-shift * 4 // 3)
            end = (shift + len(octets)) * 4 // 3
            inner = base64.b64encode(b"\0" * shift + octets).decode()[start:end]
            if len(inner) >= _SHORTEST_INNER_BASE64:
                yield inner
