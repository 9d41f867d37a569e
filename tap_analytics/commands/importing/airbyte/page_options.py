"""Where the values of pages go in a request of a manifest: a parameter, a header or the body."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from tap_analytics.commands.importing.loading import as_list

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component, Object

#: Places in a request, and the fields of an endpoint that hold what goes there.
_FIELDS = {"request_parameter": "params", "header": "headers", "body_data": "data"}
_JSON = "body_json"
#: A name in a path of the JSON body.
_NAME = re.compile(r"[^\s.$*?()\[\]{}'\"]+")


@dataclass(frozen=True)
class Option:
    """Where a value goes; `name` is a dotted path in a JSON body."""

    place: str
    name: str

    def problem(self, endpoint: Object) -> str | None:
        """Return why a request can't have it, after "it is"; None if it can."""
        other = {_JSON: "data", "body_data": "json"}.get(self.place, "")
        if other and endpoint.get(other) is not None:
            return f"in a body of another kind than `{other}`"
        if self.place != _JSON:
            given = endpoint.get(_FIELDS[self.place]) or {}
            known = {name.lower() if self.place == "header" else name for name in given}
            name = self.name.lower() if self.place == "header" else self.name
            return f"{self.name}, which the request has already" if name in known else None
        return None

    def put(self, what: str, paginator: Object, endpoint: Object) -> None:
        """Declare the place of a value: `offset`, `page`, `cursor` or `limit`."""
        if self.place.startswith("body_"):
            endpoint.setdefault("method", "GET")
        if self.place == "request_parameter":
            paginator[f"{what}_param"] = self.name
        elif self.place == _JSON:
            paginator[f"{what}_body_path"] = self.name
        else:
            field = _FIELDS[self.place]
            endpoint[field] = {**(endpoint.get(field) or {}), self.name: f"{{paginator.{what}}}"}


def is_member(name: str) -> bool:
    """Whether a name can be part of a path of the JSON body."""
    return _NAME.fullmatch(name) is not None


def option_of(part: Component | None) -> Option | None:
    """Return where a value goes; None if that can't be declared."""
    if part is None or part.kind == "RequestPath":
        return None
    place, path = part.get("inject_into"), as_list(part.value.get("field_path"))
    part.ignore("field_path")
    if place not in {*_FIELDS, _JSON}:
        return None
    if path:
        names = [part.interpolated(str(each), "field_path") for each in path]
        is_known = place == _JSON and all(each and is_member(each) for each in names)
        return Option(place, ".".join(map(str, names))) if is_known else None
    name = part.text("field_name")
    is_setting = name is not None and "$" in name and part.get("field_name") != name
    if not name or is_setting or (place == _JSON and not is_member(name)):
        return None
    return Option(place, name)
