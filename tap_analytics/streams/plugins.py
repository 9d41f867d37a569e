"""Classes of a user that declared streams are made of."""

from __future__ import annotations

import importlib
import inspect
import typing as t
from pathlib import Path

from tap_analytics.records.digests import digest_of
from tap_analytics.transport.errors import shorten

_SHOWN = 200

Base = t.TypeVar("Base")


class PluginError(Exception):
    """A plugin that can't be used; the message follows the name of the field."""


def load_plugin(name: str, *, base: type[Base]) -> type[Base]:
    """Return the class of a name such as `my_package.my_module:MyStream`.

    Raises `PluginError` where it can't be imported, or isn't derived from `base`.
    """
    module_name, _, class_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        cause = shorten(f"{type(error).__name__}: {error}", _SHOWN)
        raise PluginError(
            f"'{module_name}' can't be imported ({cause}). Install it beside the tap, or put its "
            "folder on PYTHONPATH."
        ) from error
    found = getattr(module, class_name, None)
    if not (isinstance(found, type) and issubclass(found, base)) or found is base:
        raise PluginError(f"'{name}' is no class derived from {base.__module__}.{base.__name__}.")
    return found


def plugin_digest(plugin: type) -> str:
    """Return a digest of the module of a class, by which a change of its code is known."""
    file = inspect.getsourcefile(plugin)
    return digest_of(Path(file).read_text("utf-8") if file else plugin.__module__)
