"""The body of a response: reads all of it, up to a maximum size, and decompresses it."""

from __future__ import annotations

import http.client
import re
import typing as t
import zlib

from tap_analytics.transport.errors import Fatal, Retriable, shorten

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from urllib3 import HTTPResponse

#: Encodings that `unpack` supports.
ACCEPT_ENCODING = "gzip, deflate"

#: Media types of a file that may be compressed itself, and how it begins if it is.
_PACKED = frozenset(
    {"application/gzip", "application/x-gzip", "application/octet-stream", "binary/octet-stream"}
)
_GZIP = b"\x1f\x8b"
_LATER = "Try again later."
_CHUNK = 1024 * 1024
#: Size of the first piece to decompress; a member may be as short as 20 bytes.
_PIECE = 4096
_PADDING = re.compile(rb"\0++")
_SHOWN = 40
#: Lets zlib detect gzip or zlib by the header; raw deflate has none.
_ANY_HEADER = 32 + zlib.MAX_WBITS


def read(raw: HTTPResponse, *, max_body: int, where: str) -> bytes:
    """Return the body as sent, at most `max_body` bytes; `where` opens an error's text.

    A body of announced length is read at once.
    """
    length = raw.length_remaining
    try:
        if length is not None and length <= max_body:
            return raw.read(decode_content=False)
        parts = bytearray()
        while length is None and len(parts) <= max_body:
            part = raw.read(_CHUNK, decode_content=False)
            if not part:
                return bytes(parts)
            parts += part
    except ValueError:
        # The length of a chunk isn't a number.
        raise http.client.HTTPException("a body that is not HTTP") from None
    raise _oversized(where, max_body)


def unpack(
    body: bytes,
    headers: Mapping[str, str],
    *,
    max_body: int,
    where: str,
    check: Callable[[], object],
) -> bytes:
    """Return the decompressed body; `Content-Encoding` may list several encodings.

    `check` is called for every piece, and raises where the deadline has passed.
    """
    encodings = headers.get("Content-Encoding", "")
    for name in reversed(encodings.split(",") if body else ()):
        match name.strip().lower():
            case "gzip" | "x-gzip" | "deflate":
                body = _inflate(body, max_body=max_body, where=where, check=check)
            case "" | "identity":
                pass
            case _:
                shown = shorten(name.strip(), _SHOWN)
                raise Fatal(
                    f"{where} sent a body encoded as '{shown}', which was not asked for",
                    hint=f"Have the server or its proxy send one of {ACCEPT_ENCODING}.",
                    cause="body",
                )
    media = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media in _PACKED and body.startswith(_GZIP):
        return _inflate(body, max_body=max_body, where=where, check=check)
    return body


def _inflate(body: bytes, *, max_body: int, where: str, check: Callable[[], object]) -> bytes:
    """Decompress all members of a gzip body, or a deflate body with or without header.

    Pieces grow with the member, because zlib copies the bytes that follow its end.
    """
    has_header = body.startswith(_GZIP) or int.from_bytes(body[:2]) % 31 == 0
    content = bytearray()
    at = 0
    while at < len(body):
        member = zlib.decompressobj(_ANY_HEADER if has_header else -zlib.MAX_WBITS)
        size = _PIECE
        while not member.eof:
            check()
            piece = body[at : at + size]
            if not piece:
                raise Retriable(
                    f"{where} sent a truncated compressed body", hint=_LATER, cause="body"
                )
            content += _decompressed(member, piece, most=max_body + 1 - len(content), where=where)
            if len(content) > max_body:
                raise _oversized(where, max_body)
            at += len(piece) - len(member.unused_data)
            size = min(2 * size, _CHUNK)
        if padding := _PADDING.match(body, at):
            at = padding.end()
    return bytes(content)


def _decompressed(member: zlib._Decompress, piece: bytes, *, most: int, where: str) -> bytes:
    try:
        return member.decompress(piece, most)
    except zlib.error:
        raise Retriable(
            f"{where} sent a damaged compressed body", hint=_LATER, cause="body"
        ) from None


def _oversized(where: str, max_body: int) -> Fatal:
    return Fatal(
        f"{where} sent more than {max_body / 2**20:.0f} MiB",
        hint="Lower `page_size`, or raise `max_response_mb`.",
        cause="oversized",
    )
