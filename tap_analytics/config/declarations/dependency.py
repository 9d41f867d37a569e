"""Resources that are read only below parents that have changed."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from tap_analytics.config.declarations.model import DeclaredIncremental, ParentLink
from tap_analytics.config.declarations.window_columns import has_window_key

if t.TYPE_CHECKING:
    from tap_analytics.config.declarations.model import DeclaredResource
    from tap_analytics.config.declarations.object_reader import ConfigPath


def dependent(
    resource: DeclaredResource, parent: DeclaredResource | None, place: ConfigPath
) -> DeclaredResource:
    """Return a resource with the replication key of its parent, if it depends on that.

    Reports what doesn't fit.
    """
    if parent is not None and parent.incremental_dependency:
        place.report(
            f"its parent '{parent.name}' has `incremental_dependency`, so what is below its "
            "unchanged rows would be missed. Remove it there."
        )
    if parent is not None and has_window_key(parent):
        place.report(
            f"its parent '{parent.name}' has a replication key from `add_fields` that is its "
            "window. What has children is read in full, so its rows would come twice. Take "
            "another key there, or none."
        )
    if not resource.incremental_dependency:
        return resource
    cursor = None if parent is None else parent.incremental
    problem = None
    if parent is None or cursor is None:
        problem = "needs a parent with `incremental`. Declare it, or remove this."
    elif resource.incremental is not None:
        problem = "and `incremental` say both what is new. Remove one."
    elif resource.write_disposition == "replace":
        problem = "reads a part, but `write_disposition` 'replace' needs all rows. Remove one."
    if problem is not None or parent is None or cursor is None:
        place.report(f"`incremental_dependency` {problem}")
        return replace(resource, incremental_dependency=False)
    column = f"_{parent.name}_{cursor.column}"
    link = ParentLink(placeholder=column, resource=parent.name, field=cursor.column)
    known = {each.placeholder for each in resource.parents}
    return replace(
        resource,
        parents=resource.parents if column in known else (*resource.parents, link),
        incremental=DeclaredIncremental(
            cursor_path=column,
            cursor_format=cursor.cursor_format,
            initial_value=cursor.initial_value,
            lag=cursor.lag,
        ),
    )
