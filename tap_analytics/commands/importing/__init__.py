"""Import descriptions of APIs written for other tools as entries of `apis`.

Supported are documents with a Python dict, configurations of dlt's REST source and low-code
manifests of Airbyte, detected by content. No code is run, and each deviation is noted.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from tap_analytics.commands.importing import airbyte, dlt, python_dict
from tap_analytics.commands.importing.loading import (
    TOO_DEEP,
    Object,
    load_json,
    load_yaml,
    read_text,
)
from tap_analytics.commands.importing.normalize_entry import name_for, normalize
from tap_analytics.commands.importing.notes import Notes
from tap_analytics.errors import InputError

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tap_analytics.transport.redaction import Secrets

_REASON = (
    "It describes no API. It must be a document or Python code with a dict of `client` and "
    "`resources`, the same as JSON or YAML, or a low-code manifest of Airbyte."
)


@dataclass(frozen=True, kw_only=True)
class Imported:
    """Entries of `apis`, with notes on what was changed or left out."""

    entry: Object
    #: Entries of further hosts, signed by what the description signs there.
    others: tuple[Object, ...] = ()
    notes: tuple[str, ...]
    #: What was taken: `5 of 6 streams`.
    headline: str
    #: Streams and credentials that are missing, one sentence each.
    missing: tuple[str, ...]


def import_file(
    path: str,
    *,
    name: str | None = None,
    base_url: str | None = None,
    plugin: str | None = None,
    reserved: Collection[str] = (),
) -> tuple[Imported, Secrets]:
    """Read the description in a file; also return the secrets found in it.

    What needs code is left out, or becomes a class of the module `plugin`.

    Raises `InputError` for a file that can't be read, or that describes no API.
    """
    text = read_text(path)
    notes = Notes(api=name or name_for(path, reserved), plugin=plugin)
    try:
        entries, secrets = normalize(_described(text, path, notes), notes, base_url=base_url)
    except RecursionError:
        raise InputError(f"{path}: {TOO_DEEP}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    imported = Imported(
        entry=entries[0],
        others=tuple(entries[1:]),
        notes=tuple(map(secrets.redact, notes.all())),
        headline=f"{notes.taken} of {notes.described} streams",
        missing=tuple(_missing(notes)),
    )
    return imported, secrets


def _missing(notes: Notes) -> Iterator[str]:
    if notes.taken < notes.described:
        count = notes.described - notes.taken
        are = "is" if count == 1 else "are"
        yield (
            f"{count} of {notes.described} streams {are} left out. Declare what you need of them; "
            "--partial accepts that they are missing."
        )
    if notes.is_unsigned:
        yield "Nothing signs the requests. Set `auth`; --partial accepts that it is missing."


def _described(text: str, path: str, notes: Notes) -> list[Object]:
    value, config = None, _in_document(text, notes)
    if config is None and (value := load_json(text)) is None:
        config = _in_python(text, path, notes)
        if config is None and not path.endswith((".py", ".md")):
            value = load_yaml(text)
    if isinstance(value, dict) and isinstance(value.get("cells"), list):
        config = _in_python(python_dict.notebook_code(value), path, notes)
    if config is not None:
        return [dlt.entry_of(config, notes)]
    if isinstance(value, dict) and isinstance(apis := value.get("apis"), list):
        if len(apis) != 1:
            raise InputError(
                f"Its `apis` has {len(apis)} entries, but only one can be imported. Keep only one."
            )
        value = apis[0]
    if isinstance(value, dict) and airbyte.is_manifest(value):
        return airbyte.entries_of(value, notes)
    if isinstance(value, dict) and {"client", "resources"} <= set(value):
        return [dlt.entry_of(value, notes)]
    raise InputError(_REASON)


def _in_document(text: str, notes: Notes) -> Object | None:
    """Return the dict in the first code block of a document that holds one."""
    for line, code in python_dict.code_blocks(text):
        try:
            found = python_dict.find(code, notes, first_line=line)
        except SyntaxError:
            continue
        if found is not None:
            return found
    return None


def _in_python(text: str, path: str, notes: Notes) -> Object | None:
    try:
        return python_dict.find(text, notes)
    except SyntaxError as error:
        if path.endswith(".py"):
            raise InputError(f"It is not Python: see line {error.lineno or 1}.") from None
        return None
