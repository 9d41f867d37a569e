"""Turn one JSON value, still as bytes, into one field of COPY.

COPY reads CSV whose quote and delimiter are control characters: JSON has none of them unescaped,
so most values pass as they came. `null` without quotes is SQL NULL.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
import typing as t

import msgspec
import simplejson
from singer_sdk.singerlib.json import deserialize_json

from target_postgres_copy.errors import BadValue, shown

if t.TYPE_CHECKING:
    from collections.abc import Callable

    Convert = Callable[[bytes], bytes]

QUOTE, DELIMITER = b"\x01", b"\x02"
OPTIONS = (
    "FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01', ESCAPE E'\\x01', NULL 'null', ENCODING 'UTF8'"
)

MISSING = b""
NULL = b"null"
#: Numbers with more digits than this before or behind the point overflow PostgreSQL's numeric.
_MOST_DIGITS, _MOST_DECIMALS = 131_072, 16_383
_MOST_INTEGER_DIGITS = 25

_list = msgspec.json.Decoder(list[msgspec.Raw])
_NEEDS_QUOTES = re.compile(rb"[\x01\x02\r\n]").search
_DATE = rb"\d{4}-\d\d-\d\d"
_TIME = rb"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
_STRING = rb'"[^"\\\n]*"'
_FLAT = rb"\{[^][{}\\\n]*\}"


def _all_lines(pattern: bytes) -> Callable[[bytes], list[bytes]]:
    return re.compile(rb"^" + pattern + rb"$", re.MULTILINE).findall


def _text_or_null(pattern: bytes) -> Callable[[bytes], list[bytes]]:
    return _all_lines(rb'(?:"(' + pattern + rb')"|null)')


#: The usual spellings; others go through Python's parser, as target-postgres does with all.
#: Nothing is found of a null.
usual_datetimes = _text_or_null(_DATE + rb"[T ]" + _TIME + rb"(?:Z|[+-]00:00)?")
usual_dates = _text_or_null(_DATE)
usual_times = _text_or_null(_TIME)
usual_text_arrays = _all_lines(rb"(\[(?:" + _STRING + rb"(?:," + _STRING + rb")*)?\])")
#: Arrays of objects in which nothing is nested, so that brackets and braces are where they seem.
_FLAT_OBJECTS = rb"\[(?:" + _FLAT + rb"(?:," + _FLAT + rb")*)?\]"

KINDS = {
    **dict.fromkeys((b"-", *(b"%d" % digit for digit in range(10))), "number"),
    b'"': "string",
    b"{": "object",
    b"[": "array",
    b"t": "boolean",
    b"f": "boolean",
    b"n": "null",
}


def quoted(field: bytes) -> bytes:
    """Quote a field of COPY."""
    return QUOTE + field.replace(QUOTE, QUOTE + QUOTE) + QUOTE


JSON_NULL = quoted(NULL)


def text_field(text: bytes) -> bytes:
    """Write any text as a field that is never taken for NULL or for the end of data."""
    if text in (NULL, b"\\.", b"") or _NEEDS_QUOTES(text):
        return quoted(text)
    return text


def string_in(value: bytes, *, sanitize: bool) -> str:
    """Return the text of a JSON string, which must be one that PostgreSQL can hold."""
    text = msgspec.json.decode(value, type=str)
    if "\0" in text:
        if not sanitize:
            raise BadValue(
                "holds a NUL character (\\u0000), which PostgreSQL can't store; "
                "sanitize_null_text_characters replaces it"
            )
        text = text.replace("\0", "\ufffd")
    return text


def plain_number(value: bytes) -> bytes:
    """Write a JSON number the way PostgreSQL writes a numeric: without exponent and minus zero."""
    if _is_integer(value):
        return value
    number = _decimal(value)
    digits = format(number, "f")
    return (digits.removeprefix("-") if not number else digits).encode()


def whole_number(value: bytes) -> bytes:
    """Write a JSON number for an integer column; 5.0 and 5e0 are integers, too."""
    if _is_integer(value):
        return value
    number = _decimal(value)
    if number.adjusted() > _MOST_INTEGER_DIGITS:
        raise BadValue(f"{shown(value)} is out of range")
    if number != number.to_integral_value():
        raise BadValue(f"{shown(value)} is not an integer")
    return b"%d" % int(number)


def _is_integer(value: bytes) -> bool:
    return value.isdigit() or (value[1:].isdigit() and value != b"-0")


def is_whole(value: bytes) -> bool:
    """Say whether a JSON number is an integer, however it is spelled."""
    if b"." not in value and b"e" not in value.lower():
        return True
    number = _decimal(value)
    return number == number.to_integral_value()


def _decimal(value: bytes) -> decimal.Decimal:
    try:
        number = decimal.Decimal(value.decode())
    except decimal.InvalidOperation:
        raise BadValue(f"{shown(value)} is out of range") from None
    exponent = t.cast("int", number.as_tuple().exponent)
    if number.adjusted() >= _MOST_DIGITS or exponent < -_MOST_DECIMALS:
        raise BadValue(f"{shown(value)} is out of range")
    return number


def text(*, sanitize: bool) -> Convert:
    """Return the conversion for text columns: strings as they are, the rest as JSON writes it."""

    def convert(value: bytes) -> bytes:
        kind = KINDS[value[:1]]
        if kind == "string":
            return text_field(string_in(value, sanitize=sanitize).encode())
        if kind == "number":
            return plain_number(value)
        if kind == "boolean":
            return value
        # The spelling of target-postgres, which has containers in text columns through Python.
        return text_field(simplejson.dumps(deserialize_json(value), use_decimal=True).encode())

    return convert


def jsonb(*, sanitize: bool) -> Convert:
    """Return the conversion for jsonb columns, which the server reads itself."""

    def convert(value: bytes) -> bytes:
        if sanitize and b"\\u0000" in value:
            return _sanitized(value)
        return value

    return convert


def _sanitized(value: bytes) -> bytes:
    """Replace NUL where target-postgres does: in a string, and in the strings one level down."""
    found: t.Any = deserialize_json(value)
    if isinstance(found, str):
        found = found.replace("\0", "\ufffd")
    elif isinstance(found, dict):
        found = {
            k: v.replace("\0", "\ufffd") if isinstance(v, str) else v for k, v in found.items()
        }
    elif isinstance(found, list):
        found = [v.replace("\0", "\ufffd") if isinstance(v, str) else v for v in found]
    return str(simplejson.dumps(found, use_decimal=True, separators=(",", ":"))).encode()


def unchanged(value: bytes) -> bytes:
    """Pass a value that COPY reads as JSON writes it."""
    return value


def datetime(value: bytes) -> bytes:
    """Read a date-time as Python does, and move it to UTC; digits behind the sixth are cut."""
    moment = _parsed(dt.datetime.fromisoformat, value, "date-time")
    if moment.tzinfo is None:
        return moment.isoformat(" ").encode()
    try:
        return moment.astimezone(dt.timezone.utc).isoformat(" ").encode()
    except OverflowError:
        return _beyond_calendar(moment)


def _beyond_calendar(moment: dt.datetime) -> bytes:
    """Write a moment outside of Python's calendar, by less than a day, as PostgreSQL does."""
    is_early = moment.year == dt.MINYEAR
    # The calendar repeats after 400 years.
    shifted = moment.replace(year=moment.year + (400 if is_early else -400))
    rest = shifted.astimezone(dt.timezone.utc).isoformat(" ")[4:]
    return f"0001{rest} BC".encode() if is_early else f"{dt.MAXYEAR + 1}{rest}".encode()


def date(value: bytes) -> bytes:
    """Read a date as Python does."""
    return _parsed(dt.date.fromisoformat, value, "date").isoformat().encode()


def time(value: bytes) -> bytes:
    """Read a time as Python does; PostgreSQL's time has no zone."""
    return _parsed(dt.time.fromisoformat, value, "time").replace(tzinfo=None).isoformat().encode()


_T = t.TypeVar("_T")


def _parsed(parse: Callable[[str], _T], value: bytes, name: str) -> _T:
    try:
        return parse(msgspec.json.decode(value, type=str))
    except ValueError:
        raise BadValue(f"{shown(value)} is not a {name}") from None


def array(element: Convert) -> Convert:
    """Return the conversion for arrays, whose elements are written by `element`."""

    def convert(value: bytes) -> bytes:
        literal = b"{" + b",".join(map(element, _decode_list(value))) + b"}"
        return quoted(literal) if _NEEDS_QUOTES(literal) else literal

    return convert


def text_element(*, sanitize: bool) -> Convert:
    """Return the conversion for elements of text arrays."""
    as_text = text(sanitize=False)

    def convert(value: bytes) -> bytes:
        if value[:1] == b'"':
            if b"\\" not in value:
                return value
            return _element(string_in(value, sanitize=sanitize).encode())
        return as_text(value)

    return convert


def jsonb_array(check: Convert, *, sanitize: bool) -> Convert:
    """Return the conversion for jsonb[]; arrays in arrays are dimensions, as in target-postgres."""
    as_json = jsonb(sanitize=sanitize)

    def convert(value: bytes) -> bytes:
        elements = _decode_list(as_json(value))
        for each in elements:
            check(each)
        return quoted(_jsonb_literal(elements))

    return convert


def _jsonb_literal(elements: list[bytes]) -> bytes:
    if not elements or elements[0][:1] != b"[":
        return b"{" + b",".join(map(_element, elements)) + b"}"
    inner = [_decode_list(each) for each in elements]
    if len({len(each) for each in inner}) > 1:
        raise BadValue("holds arrays of different lengths, which jsonb[] can't hold")
    return b"{" + b",".join(map(_jsonb_literal, inner)) + b"}"


def flat_objects(*, nullable: bool) -> Callable[[bytes], list[bytes]]:
    """Find arrays of flat objects, and null where it is allowed."""
    return _all_lines(rb"(?:" + _FLAT_OBJECTS + (rb"|null)" if nullable else rb")"))


def flat_objects_literals(lines: bytes) -> bytes:
    """Write lines that are all `flat_objects` as literals of jsonb[]."""
    escaped = lines.replace(b"[]", b"{}").replace(b'"', b'\\"')
    return escaped.replace(b"},{", b'}","{').replace(b"[{", b'{"{').replace(b"}]", b'}"}')


def _decode_list(value: bytes) -> list[bytes]:
    if value[:1] != b"[":
        raise BadValue("mixes arrays and other values, which jsonb[] can't hold")
    return [bytes(each) for each in _list.decode(value)]


def _element(value: bytes) -> bytes:
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
