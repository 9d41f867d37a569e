"""Authentication of dlt's REST client: objects, names of types, and classes read as objects."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.importing.notes import listed, shown
from tap_analytics.commands.importing.unread import UNPACKED, Unread, with_variables
from tap_analytics.config.declarations.auths import AUTHS

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.loading import JsonValue
    from tap_analytics.commands.importing.notes import Notes

#: What dlt finds in its settings where only the name of a type is given.
_SETTINGS = {
    "bearer": ("token",),
    "api_key": ("api_key",),
    "http_basic": ("username", "password"),
    "oauth2_client_credentials": ("access_token_url", "client_id", "client_secret"),
}
#: Fields that don't change how requests are signed.
_SILENT = {"access_token", "session", "token"}


def read_auth(auth: object, where: str, notes: Notes) -> JsonValue:
    """Return an `auth`; None for one that is left out, with a note."""
    if isinstance(auth, list):
        return auth
    if isinstance(auth, str) and auth in _SETTINGS:
        auth = {"type": auth, **{name: notes.variable(name) for name in _SETTINGS[auth]}}
        notes.add(where, f"its credentials are {listed(v for v in auth.values() if v[0] == '$')}.")
    if isinstance(auth, Unread):
        notes.unsigned("", str(auth))
        return None
    if not isinstance(auth, dict):
        notes.unsigned(where, "isn't an object")
        return None
    # For dlt, no type means bearer.
    given = {"type": "bearer", **auth} if "token" in auth else dict(auth)
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in AUTHS:
        notes.unsigned(where, f"the type '{shown(kind)}' isn't known to the tap")
        return None
    if kind == "api_key" and "name" not in given:
        given["name"] = "Authorization"
    known = ("type", *AUTHS[kind].fields)
    unknown = [word for word in given if word not in known]
    if UNPACKED in given or not _SILENT.issuperset(unknown):
        notes.unsigned(where, f"{listed(each for each in unknown)} isn't supported")
        return None
    made = {word: value for word, value in given.items() if word in known and value is not None}
    return with_variables(made, notes)
