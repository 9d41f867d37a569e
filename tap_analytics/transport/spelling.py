"""How encoders spell a text, as a regular expression that finds it in all of these spellings.

Each character is matched in every form that URLs, JSON, `repr` and HTML give it,
so one pattern finds the text in any encoding, in mixtures and in nested ones.
Base64 is no encoding of single characters: its forms are texts of their own.
"""

from __future__ import annotations

import base64
import html
import json
import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What stays the same inside of longer base64 is only telling above this length.
_SHORTEST_INNER_BASE64 = 8
_BACKSLASH = r"(?:\\|%(?:25)*5[Cc])"
_LEAD = r"(?:[=:]|%3[ADad])\s*\\*[\"']?(?:(?:Basic|Bearer|Token)\s+)?"


def pattern(long: Iterable[str], short: Iterable[str]) -> re.Pattern[str]:
    """Return one pattern for all values, longest first, for one secret may contain another.

    `long` values match anywhere, `short` ones only as a whole word after `=` or `:`,
    where the group `lead` holds what stands before them.
    """
    branches = [_spelled(value) for value in _longest_first(long)]
    words = "|".join(map(_spelled, _longest_first(short))) or "(?!)"
    branches.append(rf"(?P<lead>{_LEAD})(?:{words})(?!\w)")
    return re.compile("|".join(branches))


def base64_forms(value: str) -> Iterator[str]:
    """Yield the value's base64, whole and as it stands inside of a longer text's."""
    for encoding in ("utf-8", "latin-1"):
        try:
            octets = value.encode(encoding)
        except UnicodeEncodeError:
            continue
        yield base64.b64encode(octets).decode().rstrip("=")
        for shift in range(3):
            # Three octets are four characters: those at either end depend on the neighbours.
            start = -(-shift * 4 // 3)
            end = (shift + len(octets)) * 4 // 3
            inner = base64.b64encode(b"\0" * shift + octets).decode()[start:end]
            if len(inner) >= _SHORTEST_INNER_BASE64:
                yield inner


def _longest_first(values: Iterable[str]) -> list[str]:
    return sorted(values, key=lambda value: (-len(value), value))


def _spelled(value: str) -> str:
    return "".join(map(_spellings, value))


def _spellings(char: str) -> str:
    """Return a pattern for one character as encoders write it, in one go or one after another."""
    if char.isascii() and char.isalnum():
        return char
    octets = char.encode("utf-8", "surrogatepass")
    written = [
        *(char, html.escape(char), json.dumps(char)[1:-1]),
        *(repr(char)[1:-1], ascii(char)[1:-1], repr(octets)[2:-1]),
    ]
    forms = [
        re.escape(form).replace(r"\\", f"{_BACKSLASH}+").replace("\\&", "&(?:amp;)*")
        for form in dict.fromkeys(written)
    ]
    forms.append("".join(f"%(?:25)*{octet:02x}" for octet in octets))
    forms.append(f"&(?:amp;)*\\#(?:0*{ord(char)}|x0*{ord(char):x});")
    # URL-safe base64, and the query's blank.
    forms.extend({"+": ["-"], "/": ["_"], " ": [r"\+"]}.get(char, ()))
    return f"(?:{_BACKSLASH}*(?i:{'|'.join(forms)}))"
