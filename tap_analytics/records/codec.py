"""Decoding of response bodies with exact numbers."""

from __future__ import annotations

import json
import re
import typing as t
from decimal import Decimal

import msgspec

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_BOM = b"\xef\xbb\xbf"
_ONE_VALUE = json.JSONDecoder()
#: Formats other than JSON, by the media types that announce them.
_FORMATS = {
    "newline-delimited JSON": re.compile(r".+/(x-)?(ndjson|ldjson|json-?lines?|jsonl|json-seq)"),
    "CSV": re.compile(r".+/(x-)?(csv|comma-separated-values|tab-separated-values)"),
    "XML": re.compile(r"(application|text)/(.+\+)?xml"),
}
#: Media types that say nothing of the format.
_UNSPECIFIC = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream"})
#: Bytes and lines of a body by which its format is recognized.
_HEAD_BYTES = 64 * 1024
_HEAD_LINES = 3
#: Every escape of a JSON text; those of half a surrogate pair and of NUL are `invalid`.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<invalid>u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
#: Digits of an integer that Python reads; longer ones are read as decimals.
_DIGITS = 4000
TOO_DEEP = "JSON nested too deeply"
#: JSON types by the Python type a decoded value has.
JSON_TYPES: t.Final[dict[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    Decimal: "number",
    float: "number",
    # Too large for `Decimal`.
    msgspec.Raw: "number",
    dict: "object",
    list: "array",
    type(None): "null",
}
_KINDS = {str: "text", bool: "a boolean", list: "a list", dict: "an object", type(None): "null"}


def kind_of(value: object) -> str:
    """Return the kind of a JSON value as messages name it: `a list`, `a number`."""
    return _KINDS.get(type(value), "a number")


class BodyError(ValueError):
    """A body that is not JSON; the message names the actual format."""


def decode_json(body: bytes) -> t.Any:  # noqa: ANN401 - any JSON value
    """Decode a body; fractions become `Decimal`, integers keep every digit.

    Half a surrogate pair, which no UTF-8 can carry, and NUL, which databases refuse in text, become
    U+FFFD. A number too large for `Decimal` stays raw JSON.
    Raises `BodyError` for anything that is not JSON, `NaN` and `Infinity` included.
    """
    body = body.removeprefix(_BOM)
    if has_nul(body):
        body = _cleaned(body)
    try:
        return _DECODER.decode(body)
    except RecursionError:
        raise BodyError(TOO_DEEP) from None
    except (msgspec.ValidationError, ArithmeticError):
        return _decode_large(_cleaned(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        cleaned = _cleaned(body)
        if cleaned == body:
            raise BodyError(_describe(body)) from None
    return decode_json(cleaned)


def other_format(body: bytes, content_type: str) -> str | None:
    """Return the name of the format that a body has instead of JSON, where one is known."""
    media = content_type.partition(";")[0].strip().lower()
    if known := media_format(media):
        return known
    start = body.removeprefix(_BOM)[:_HEAD_BYTES].decode("utf-8", "replace").strip()
    if _has_several_values(start):
        return "newline-delimited JSON"
    return "CSV" if media in _UNSPECIFIC and _is_table(start) else None


def media_format(media: str) -> str | None:
    """Return the name of a format other than JSON, by its media type."""
    return next((name for name, known in _FORMATS.items() if known.fullmatch(media)), None)


def _has_several_values(text: str) -> bool:
    """Whether a whole JSON value, on one line, is followed by another one."""
    line, _, rest = text.partition("\n")
    try:
        _, end = _ONE_VALUE.raw_decode(line)
    except (ValueError, RecursionError):
        return False
    return (line[end:].strip() or rest.lstrip()).startswith(("{", "["))


def _is_table(text: str) -> bool:
    """Whether the first lines have the same number of the same separator."""
    lines = [line for line in text.splitlines()[:_HEAD_LINES] if line.strip()]
    counts = ({line.count(separator) for line in lines} for separator in ",;\t")
    return len(lines) > 1 and any(len(each) == 1 and each != {0} for each in counts)


def has_nul(body: bytes) -> bool:
    """Whether a JSON text holds an escaped NUL; most texts hold no escape at all."""
    return b"\\" in body and b"\\u0000" in body


def _cleaned(body: bytes) -> bytes:
    """Return a JSON text with U+FFFD for every escape of an invalid character."""
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found["invalid"] else found[0], body)


def _decode_large(body: bytes) -> t.Any:  # noqa: ANN401 - any JSON value
    """Decode a body with numbers that are too large for the fast decoder."""
    try:
        return json.loads(
            body.decode(), parse_float=_fraction, parse_int=_integer, parse_constant=_refuse
        )
    except RecursionError:
        raise BodyError(TOO_DEEP) from None
    except ValueError:
        raise BodyError(_describe(body)) from None


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) < _DIGITS else Decimal(text)


def _fraction(text: str) -> Decimal | msgspec.Raw:
    try:
        return Decimal(text)
    except ArithmeticError:
        return msgspec.Raw(text.encode())


def _refuse(constant: str) -> t.NoReturn:
    raise ValueError(constant)


def _describe(body: bytes) -> str:
    start = body.lstrip()[:15].lower()
    if not start:
        return "an empty body"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page"
    return "invalid JSON" if start[:1] in b'{["' else "no JSON"
