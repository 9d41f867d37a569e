"""Resolves placeholders to parent resources, and sorts parents before children."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from tap_analytics.config.declarations.model import ParentLink
from tap_analytics.config.declarations.object_reader import listed, suggestion
from tap_analytics.config.declarations.resources import PLACEHOLDER, Resolve

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_analytics.config.declarations.model import DeclaredResource
    from tap_analytics.config.declarations.resources import UnlinkedResource

#: By resource, then by placeholder.
Links = dict[str, dict[str, Resolve]]

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
                f"its parents are circular: {' → '.join(cycle)}. Take a placeholder out of a path."
            )
            return ()
    return tuple(
        replace(by_name[name].declared, parents=_one_parent(by_name[name], links, ordered))
        for name in ordered
    )


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
) -> Iterator[tuple[str, Resolve]]:
    """Yield each placeholder of a path with its source."""
    place, siblings = resource.place, [name for name in by_name if name != resource.declared.name]
    placeholders = list(dict.fromkeys(PLACEHOLDER.findall(resource.declared.path)))
    for name in resource.resolves:
        if name not in placeholders:
            place.report(
                f"`params.{name}` resolves a placeholder that the path doesn't have. "
                f"Add {{{name}}} to the path, or remove it."
            )
    for placeholder in placeholders:
        link = resource.resolves.get(placeholder) or guess(placeholder, siblings)
        if link is None:
            form = f"`params: {{{placeholder}: {{type: resolve, resource: …, field: …}}}}`"
            place.report(
                f"`path`: no resource fits {{{placeholder}}}. Write {form}. "
                f"Resources: {listed(siblings)}."
            )
        elif link.resource not in by_name:
            shown = f"`params.{placeholder}.resource` '{link.resource}' is unknown."
            place.report(f"{shown} Known: {listed(siblings)}.{suggestion(link.resource, siblings)}")
        else:
            yield placeholder, link


def guess(placeholder: str, siblings: Sequence[str]) -> Resolve | None:
    """Resolve `{customer_id}` to the `id` of the sibling `customers`.

    The longest name wins: `{course_group_id}` belongs to `course_groups` before `courses`. Returns
    None if two siblings match equally.
    """
    words = placeholder.split("_")
    for length in range(len(words) - 1, 0, -1):
        name, field = "_".join(words[:length]), "_".join(words[length:])
        if not name or not field:
            continue
        fitting = [name] if name in siblings else [s for s in siblings if _same(name, s)]
        if fitting:
            return Resolve(resource=fitting[0], field=field) if len(fitting) == 1 else None
    return None


def _same(name: str, sibling: str) -> bool:
    return sibling in plurals(name) or name in plurals(sibling)


def plurals(name: str) -> set[str]:
    """Return possible English plurals; of `course_group`, those of its last word."""
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


def _one_parent(
    resource: UnlinkedResource, links: Links, ordered: Sequence[str]
) -> tuple[ParentLink, ...]:
    """Return the links of a resource, all to its nearest parent.

    Values of higher ancestors are placeholders of the nearest parent.
    """
    own = links[resource.declared.name]
    if not own:
        return ()
    nearest = max((link.resource for link in own.values()), key=ordered.index)
    inherited = {link: placeholder for placeholder, link in links[nearest].items()}
    found = []
    for placeholder, link in own.items():
        field = link.field if link.resource == nearest else inherited.get(link)
        if field is None:
            resource.place.report(
                f"`path`: {{{placeholder}}} comes from '{link.resource}' and another placeholder "
                f"from '{nearest}', which isn't a child of it. Keep to one line of parents."
            )
            continue
        found.append(ParentLink(placeholder=placeholder, resource=nearest, field=field))
    return tuple(found)
