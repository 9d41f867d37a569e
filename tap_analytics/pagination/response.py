"""Decodes responses and selects their rows."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from tap_analytics.errors import PaginationError
from tap_analytics.records.codec import BodyError, other_format
from tap_analytics.records.decoders import Json, Lines
from tap_analytics.records.payload import (
    MissingRowsError,
    SelectorError,
    as_rows,
    holds_null,
    not_json,
    raise_error,
    unreadable,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_analytics.records.decoders import Decoder
    from tap_analytics.records.payload import Row
    from tap_analytics.transport.errors import TransportError
    from tap_analytics.transport.request import Response

NO_CONTENT = 204


@dataclass(frozen=True, kw_only=True)
class ResponseParser:
    """Parses the responses of a stream."""

    #: The stream with its path, for messages, and its API.
    label: str
    api: str
    #: Returns the rows of a decoded body; raises `SelectorError` where it has none to select.
    select: Callable[[t.Any], list[Row]]
    #: The members that lead to the list of rows, up to the first that isn't a plain name.
    path: tuple[str, ...]
    #: Hint for a response without rows at the selector.
    hint: str
    #: Whether an empty object is a response without rows.
    takes_empty: bool = False
    #: Whether an object without anything at the selector is one.
    takes_missing: bool = False
    #: Returns the decoder of a body by its media type.
    decoder: Callable[[str], Decoder] = lambda _: Json()
    #: The decoders that a declaration may name, by the format that they decode.
    decoders: Mapping[str, str] = field(default_factory=dict)

    def parse(self, response: Response) -> tuple[t.Any, list[Row]]:
        """Return the decoded body and its rows; raises the error it carries, if any."""
        payload = self.decode(response)
        if response.status == NO_CONTENT or self._is_empty(payload):
            return payload, []
        try:
            rows = self._rows(payload)
        except Exception as error:
            raise_error(payload, has_rows=False, label=self.label)
            if isinstance(error, SelectorError):
                raise PaginationError(f"{self.label}: {error} {self.hint}") from None
            raise
        raise_error(payload, has_rows=bool(rows), label=self.label)
        return payload, rows

    def decode(self, response: Response) -> t.Any:  # noqa: ANN401 - any JSON value
        """Decode a body; raises `Retriable` for one that can't be, such as a web page."""
        if response.status == NO_CONTENT:
            return None
        decoder = self.decoder(response.headers.get("Content-Type", ""))
        try:
            return decoder.decode(response.body)
        except BodyError as error:
            raise self._failure(response, decoder, str(error)) from None

    def _failure(self, response: Response, decoder: Decoder, found: str) -> TransportError:
        kind = response.headers.get("Content-Type", "")
        if isinstance(decoder, Json) and (known := other_format(response.body, kind)):
            return not_json(response, known, label=self.label, decoder=self.decoders.get(known))
        return unreadable(response, found, label=self.label, api=self.api)

    def _rows(self, payload: t.Any) -> list[Row]:  # noqa: ANN401 - any JSON value
        """Select the rows; of a body with several values, those of each."""
        if not isinstance(payload, Lines):
            return self._selected(payload)
        if not self.path:
            return as_rows(payload, "the response")
        return [row for line in payload for row in self._selected(line)]

    def _selected(self, payload: t.Any) -> list[Row]:  # noqa: ANN401 - any JSON value
        try:
            return self.select(payload)
        except MissingRowsError:
            if self.takes_missing and isinstance(payload, dict):
                return []
            raise

    def holds_null(self, payload: t.Any, response: Response) -> bool:  # noqa: ANN401 - any JSON value
        """Whether null stands where a response without rows should have a list of them."""
        if response.status == NO_CONTENT:
            return False
        return self._is_empty(payload) or holds_null(payload, self.path)

    def _is_empty(self, payload: t.Any) -> bool:  # noqa: ANN401 - any JSON value
        return self.takes_empty and not self.takes_missing and payload == {}
