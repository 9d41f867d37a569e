"""Custom fields, and streams whose traits may be columns of the types that the fields say."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import replace
from decimal import Decimal

from singer_sdk import typing as th
from typing_extensions import override

from tap_analytics.pagination import SinglePage
from tap_analytics.pagination.fetcher import PageFetcher
from tap_analytics.records.writer import ENCODER
from tap_analytics.streams.schema_types import string
from tap_analytics.streams.success.objects import CREATED, OPTIONS
from tap_analytics.streams.success.stream import ChangingStream, SuccessStream

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.pagination import PageToken
    from tap_analytics.pagination.endpoint import Endpoint

#: The objects that have custom fields, as the service names them; the first is read first.
MODELS = (
    *("accounts", "organizations", "users", "conversations", "notes", "tasks", "projects"),
    "team",
)
#: What the columns of traits begin with; the rest of a name is that of the trait.
PREFIX = "traits__"


class CustomFields(SuccessStream):
    """Custom fields of all objects but custom ones, which carry their own."""

    name = "success_custom_fields"
    path = "/customFields"
    # The list of a model is bare and not paged.
    records_path = ()
    paging = SinglePage(limit_param=None, total_path=None)
    primary_keys = ("model", "path")
    selected_by_default = False
    schema = th.PropertiesList(
        string("model", "What has the field: accounts, users and others.", required=True),
        string("path", "Name of the field in `traits`.", required=True),
        string("id", "Identifier of the field."),
        CREATED,
        string("label", "Name people read."),
        string("type", "Type of its values, such as string or datetime."),
        OPTIONS,
    ).to_dict()

    @property
    @override
    def page_size(self) -> int | None:
        return None

    @override
    def passes(self, *, whole: bool) -> Iterable[Context]:
        return [{"model": model} for model in MODELS[1:]]

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: PageToken | None
    ) -> PageToken:
        return {"model": MODELS[0], **(context or {})}

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        return {"model": MODELS[0], **(context or {}), **row}


class TraitStream(ChangingStream):
    """Base of streams whose traits are columns too, where the setting `traits` says so."""

    #: What has the custom fields, as `CustomFields` names it.
    model: t.ClassVar[str]

    @override
    def __init__(self, tap: Tap, **kwargs: t.Any) -> None:
        super().__init__(tap, **kwargs)
        block = self.config.get(self.api) or {}
        self._has_columns = block.get("traits") == "columns"
        if self._tap.input_catalog is None:
            try:
                self.complete_schema()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this stream's failure
                self.failure = error

    def complete_schema(self) -> None:
        """Add the columns of the traits, where the setting says so."""
        if self._has_columns:
            fields = CustomFields(t.cast("Tap", self._tap)).endpoint({"model": self.model})
            self.add_columns(PageFetcher(endpoint=fields).sample())

    def add_columns(self, fields: Iterable[Mapping[str, t.Any]]) -> None:
        """Add a column to the schema for each custom field."""
        known = t.cast("dict[str, t.Any]", self.schema)
        columns = {f"{PREFIX}{each['path']}": _schema_of(each) for each in fields}
        vars(self)["schema"] = {**known, "properties": {**known["properties"], **columns}}

    @functools.cached_property
    def _columns(self) -> Mapping[str, str]:
        """The type of each trait that is a column."""
        if not self._has_columns:
            return {}
        return {
            name.removeprefix(PREFIX): column["type"][0]
            for name, column in self.effective_schema["properties"].items()
            if name.startswith(PREFIX)
        }

    @override
    def endpoint(self, context: Context | None, window: PageToken | None = None) -> Endpoint:
        found = super().endpoint(context, window)
        if not self._columns:
            return found
        add = functools.partial(_with_columns, self._columns)
        inner = found.post_process
        return replace(found, post_process=add if inner is None else lambda row: add(inner(row)))


def _schema_of(field: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the schema of the values of a custom field; the set of types is open."""
    kind = str(field.get("type", "")).lower()
    known = (("multi", "array"), ("number", "number"), ("currency", "number"), ("bool", "boolean"))
    type_ = next((type_ for word, type_ in known if word in kind), "string")
    items = {"items": {"type": ["string", "null"]}} if type_ == "array" else {}
    return {"type": [type_, "null"], **items, "description": f"{field.get('label')}."}


def _with_columns(columns: Mapping[str, str], row: Record | None) -> Record | None:
    traits = row.get("traits") if row else None
    if row is None or not isinstance(traits, dict):
        return row
    return row | {f"{PREFIX}{name}": fit(traits.get(name), kind) for name, kind in columns.items()}


def fit(value: object, kind: str) -> object:
    """Return a value of a column's type; null where it can't be one, which `traits` still has."""
    if value is None or kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "number":
        is_number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
        return value if is_number else None
    if kind == "array":
        return value if isinstance(value, list) else None
    return value if isinstance(value, str) else ENCODER.encode(value).decode()
