"""The body of an answer: read in one piece, of bounded size, and whole or not at all.

What has been cut short is worth another attempt; what is too large is not.
"""

from __future__ import annotations

import typing as t
import zlib

from tap_analytics.transport.errors import Fatal, Retriable, shorten

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3 import HTTPResponse

#: What `unpack` can undo.
ACCEPT_ENCODING = "gzip, deflate"

_AGAIN = "Try again later."
_CHUNK = 1024 * 1024
_SHOWN = 40
#: Lets zlib tell gzip from zlib by the header; raw deflate has none.
_ANY_HEADER = 32 + zlib.MAX_WBITS


def read(raw: HTTPResponse, *, max_body: int, where: str) -> bytes:
    """Return the body as sent, at most `max_body` bytes; `where` opens an error's text.

    A body of announced length is read at once into one piece of memory.
    """
    length = raw.length_remaining
    if length is not None and length <= max_body:
        return raw.read(decode_content=False)
    parts = bytearray()
    while length is None and len(parts) <= max_body:
        part = raw.read(_CHUNK, decode_content=False)
        if not part:
            return bytes(parts)
        parts += part
    raw.close()
    raise _oversized(where, max_body)


def unpack(body: bytes, headers: Mapping[str, str], *, max_body: int, where: str) -> bytes:
    """Undo the encodings that `Content-Encoding` lists, the last one first."""
    encodings = headers.get("Content-Encoding", "")
    if not encodings or not body:
        return body
    for name in reversed(encodings.split(",")):
        match name.strip().lower():
            case "gzip" | "x-gzip" | "deflate":
                body = _inflate(body, max_body=max_body, where=where)
            case "" | "identity":
                pass
            case _:
                shown = shorten(name.strip(), _SHOWN)
                raise Fatal(
                    f"{where} sent a body encoded as '{shown}', which was not asked for",
                    hint=f"Have the server or its proxy send one of {ACCEPT_ENCODING}.",
                    cause="body",
                )
    return body


def _inflate(body: bytes, *, max_body: int, where: str) -> bytes:
    """Decompress all members of a gzip body, or a deflate body with or without header."""
    has_header = body[:2] == b"\x1f\x8b" or int.from_bytes(body[:2]) % 31 == 0
    whole = bytearray()
    while body:
        member = zlib.decompressobj(_ANY_HEADER if has_header else -zlib.MAX_WBITS)
        try:
            whole += member.decompress(body, max_body + 1 - len(whole))
        except zlib.error:
            raise Retriable(
                f"{where} sent a damaged compressed body", hint=_AGAIN, cause="body"
            ) from None
        if len(whole) > max_body:
            raise _oversized(where, max_body)
        if not member.eof:
            raise Retriable(f"{where} sent a compressed body cut short", hint=_AGAIN, cause="body")
        body = member.unused_data.lstrip(b"\0")
    return bytes(whole)


def _oversized(where: str, max_body: int) -> Fatal:
    return Fatal(
        f"{where} sent more than {max_body / 2**20:.0f} MiB",
        hint="Lower `page_size`, or raise `max_response_mb`.",
        cause="oversized",
    )
