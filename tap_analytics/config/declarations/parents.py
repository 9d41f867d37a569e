"""Finds the resource that each placeholder takes its values from, and sorts parents first."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from tap_analytics.config.declarations.dependency import dependent
from tap_analytics.config.declarations.model import ParentLink, Source
from tap_analytics.config.declarations.object_reader import listed, suggestion
from tap_analytics.config.declarations.processing import parents_values
from tap_analytics.config.declarations.templates import RESOURCES, divided

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_analytics.config.declarations.model import DeclaredResource
    from tap_analytics.config.declarations.resources import UnlinkedResource

#: By resource, then by placeholder.
Links = dict[str, dict[str, Source]]

_IRREGULAR = {
    "child": "children",
    "criterion": "criteria",
    "datum": "data",
    "index": "indices",
    "man": "men",
    "person": "people",
    "woman": "women",
}


def linked(unlinked: Sequence[UnlinkedResource]) -> tuple[DeclaredResource, ...]:
    """Return the resources linked to their parents, parents first; reports problems."""
    by_name = {resource.declared.name: resource for resource in unlinked}
    links = {name: dict(_links(resource, by_name)) for name, resource in by_name.items()}
    ordered: list[str] = []
    for name, resource in by_name.items():
        if cycle := _visit(name, links, ordered, ()):
            resource.place.report(
                f"its parents are circular: {' → '.join(cycle)}. Take out a placeholder."
            )
            return ()
    # Of resources in one line, the nearest comes last.
    parents = {
        name: max((source.resource for source in own.values()), key=ordered.index)
        for name, own in links.items()
        if own
    }
    for name in reversed(ordered):
        _pass_on(by_name[name], links, parents)
    found: dict[str, DeclaredResource] = {}
    for name in ordered:
        own = (*_own_links(name, links, parents), *_included(by_name[name], parents))
        above = found.get(parents.get(name, ""))
        found[name] = dependent(
            replace(by_name[name].declared, parents=own), above, by_name[name].place
        )
    return tuple(found.values())


def _visit(
    name: str, links: Links, ordered: list[str], above: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Append a resource after its parents; return a cycle, if any."""
    if name in above:
        return (*above[above.index(name) :], name)
    if name in ordered:
        return None
    for link in links[name].values():
        if cycle := _visit(link.resource, links, ordered, (*above, name)):
            return cycle
    ordered.append(name)
    return None


# --- placeholders -----------------------------------------------------------------------------


def _links(
    resource: UnlinkedResource, by_name: Mapping[str, UnlinkedResource]
) -> Iterator[tuple[str, Source]]:
    """Yield each placeholder of a request with its source."""
    place, siblings = resource.place, [name for name in by_name if name != resource.declared.name]
    names = _placeholders(resource)
    for name in resource.resolves:
        if name not in names:
            place.report(
                f"`params.{name}` resolves a placeholder that the path doesn't have. "
                f"Add {{{name}}} to the path, or remove it."
            )
    if not names and any(parents_values(resource.declared.steps)):
        place.report(
            "`processing_steps` has values of a parent, which the resource lacks. Name one in the "
            "request, such as {resources.customers.id}."
        )
    for name in names:
        source = _source(name, resource, siblings)
        if source is None:
            form = f"`params: {{{name}: {{type: resolve, resource: …, field: …}}}}`"
            place.report(
                f"`path`: no resource fits {{{name}}}. Write {form}. Resources: {listed(siblings)}."
            )
        elif source.resource not in by_name:
            where = f"`params.{name}.resource`" if name in resource.resolves else f"`{{{name}}}`:"
            shown = f"{where} '{source.resource}' is unknown."
            near = suggestion(source.resource, siblings)
            place.report(f"{shown} Known: {listed(siblings)}.{near}")
        else:
            yield name, source


def _placeholders(resource: UnlinkedResource) -> list[str]:
    """Return the placeholders of a request that another resource gives, in their order."""
    declared = resource.declared
    names = [name for each in declared.request.templates for name in each.ordered]
    if any(map(_is_parents, names)):
        names += [name for each in parents_values(declared.steps) for name in each.ordered]
    return [*dict.fromkeys(name for name in names if _is_parents(name))]


def _is_parents(name: str) -> bool:
    return "." not in name or name.startswith(f"{RESOURCES}.")


def _source(name: str, resource: UnlinkedResource, siblings: Sequence[str]) -> Source | None:
    if "." in name:
        _, parent, field = name.split(".", 2)
        return Source(resource=parent, field=field)
    return resource.resolves.get(name) or guess(name, siblings)


def guess(placeholder: str, siblings: Sequence[str]) -> Source | None:
    """Source `{customer_id}` to the `id` of the sibling `customers`.

    The longest name wins: `{course_group_id}` belongs to `course_groups` before `courses`. Returns
    None if two siblings match equally.
    """
    parts = placeholder.split("_")
    for length in range(len(parts) - 1, 0, -1):
        name, field = "_".join(parts[:length]), "_".join(parts[length:])
        if not name or not field:
            continue
        fitting = [name] if name in siblings else [s for s in siblings if _same(name, s)]
        if fitting:
            return Source(resource=fitting[0], field=field) if len(fitting) == 1 else None
    return None


def _same(name: str, sibling: str) -> bool:
    return sibling in plurals(name) or name in plurals(sibling)


def plurals(name: str) -> set[str]:
    """Return possible English plurals; of `course_group`, those of its last part."""
    head, joint, noun = name.rpartition("_")
    forms = {_IRREGULAR.get(noun.lower(), f"{noun}s"), f"{noun}s"}
    if re.search(r"(?:s|x|z|ch|sh|o)$", noun):
        forms.add(f"{noun}es")
    if re.search(r"[^aeiou]y$", noun):
        forms.add(f"{noun[:-1]}ies")
    if noun.endswith(("f", "fe")):
        forms.add(f"{noun.removesuffix('e')[:-1]}ves")
    if noun.endswith("is"):
        forms.add(f"{noun[:-2]}es")
    return {f"{head}{joint}{form}" for form in forms}


# --- one parent per resource ------------------------------------------------------------------


def _pass_on(resource: UnlinkedResource, links: Links, parents: Mapping[str, str]) -> None:
    """Let the parent get what its child needs of a higher ancestor; report what it can't get."""
    name = resource.declared.name
    own, parent = links[name], parents.get(name)
    for placeholder, source in [*own.items()]:
        if source.resource == parent or parent is None:
            continue
        if source.resource not in _ancestors(parent, parents):
            named = f"`{{{placeholder}}}`" if "." in placeholder else f"`path`: {{{placeholder}}}"
            resource.place.report(
                f"{named} comes from '{source.resource}' and another placeholder "
                f"from '{parent}', which isn't a child of it. Keep to one line of parents."
            )
            del own[placeholder]
        elif source not in links[parent].values():
            links[parent][source.placeholder] = source


def _ancestors(name: str, parents: Mapping[str, str]) -> Iterator[str]:
    while name in parents:
        name = parents[name]
        yield name


def _own_links(name: str, links: Links, parents: Mapping[str, str]) -> Iterator[ParentLink]:
    """Yield the links of a resource, all to its parent.

    Values of higher ancestors are columns of the parent's rows, or values it was read with.
    """
    for placeholder, source in links[name].items():
        parent, field, is_inherited = parents[name], source.field, False
        if "." in placeholder:
            field, _ = divided(field)
        if source.resource != parent:
            field = next(key for key, each in links[parent].items() if each == source)
            is_inherited = "." in field
        yield ParentLink(
            placeholder=placeholder,
            resource=parent,
            field=field,
            is_inherited=is_inherited,
            is_column="." not in placeholder,
        )


def _included(resource: UnlinkedResource, parents: Mapping[str, str]) -> Iterator[ParentLink]:
    """Yield the links of `include_from_parent`."""
    parent = parents.get(resource.declared.name)
    if resource.included and parent is None:
        resource.place.report(
            "`include_from_parent` needs a parent. Name one in the request, such as "
            "{resources.customers.id}."
        )
    elif parent is not None:
        for field in resource.included:
            yield ParentLink(placeholder=f"_{parent}_{field}", resource=parent, field=field)
