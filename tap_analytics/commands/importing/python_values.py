"""The values of Python expressions, read from their syntax: nothing is ever run.

Literals are taken as they stand. A secret, a setting or an environment variable becomes a
`$VARIABLE`; what only running the code could tell is left out and told with its line.
"""

from __future__ import annotations

import ast
import math
import typing as t

from tap_analytics.commands.importing.notes import shown
from tap_analytics.errors import InputError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.commands.importing.notes import Notes

T = t.TypeVar("T")

#: What stands for a value that can't be told without running the code.
OMITTED = object()
#: Most parts of a dict, with those that names stand for; nobody writes more by hand.
MOST_PARTS = 50_000
MOST_TEXT = 100_000
_MOST_BITS = 256

#: Names that a description has no use for, and an attack has.
_FORBIDDEN = frozenset(
    {
        *("breakpoint", "compile", "delattr", "eval", "exec", "getattr", "globals", "input"),
        *("locals", "open", "setattr", "vars", "subprocess", "shutil", "sys", "importlib"),
        *("ctypes", "pickle", "socket"),
    }
)
_ENVIRONMENT = {"os.environ", "environ"}
_GETENV = {"os.environ.get", "environ.get", "os.getenv", "getenv"}
_SETTINGS = {"dlt.secrets", "dlt.config", "secrets", "config", "dlt.secrets.value"}
#: Classes of dlt's REST client: the `type` they stand for, and the names of their arguments.
_CLASSES: dict[str, tuple[str, tuple[str, ...]]] = {
    "APIKeyAuth": ("api_key", ("name", "api_key", "location")),
    "ApiKeyAuth": ("api_key", ("name", "api_key", "location")),
    "BearerTokenAuth": ("bearer", ("token",)),
    "HttpBasicAuth": ("http_basic", ("username", "password")),
    "OAuth2ClientCredentials": (
        "oauth2_client_credentials",
        ("access_token_url", "client_id", "client_secret", "access_token_request_data"),
    ),
    "HeaderCursorPaginator": ("header_cursor", ("cursor_key", "cursor_param")),
    "HeaderLinkPaginator": ("header_link", ("links_next_key",)),
    "JSONLinkPaginator": ("json_link", ("next_url_path",)),
    "JSONResponsePaginator": ("json_link", ("next_url_path",)),
    "JSONResponseCursorPaginator": ("cursor", ("cursor_path", "cursor_param")),
    "OffsetPaginator": (
        "offset",
        ("limit", "offset", "offset_param", "limit_param", "total_path"),
    ),
    "PageNumberPaginator": ("page_number", ("base_page", "page", "page_param", "total_path")),
    "SinglePagePaginator": ("single_page", ()),
    "incremental": ("incremental", ("cursor_path", "initial_value")),
}
DICTS = {"dict", "RESTAPIConfig", "ClientConfig", "EndpointResource", "Endpoint"}
_KINDS = {
    "Call": "a call",
    "Compare": "a comparison",
    "DictComp": "a comprehension",
    "GeneratorExp": "a comprehension",
    "IfExp": "a choice",
    "Lambda": "a function",
    "ListComp": "a comprehension",
    "SetComp": "a comprehension",
    "Starred": "a list put into another",
}


def line_of(node: ast.AST) -> int:
    """Return the line that a node begins at."""
    return int(getattr(node, "lineno", 0))


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for an expression that reads so, else nothing."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            yield from (
                (each.id, node.value) for each in node.targets if isinstance(each, ast.Name)
            )
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args]
            given = list(zip(reversed(arguments), reversed(node.args.defaults), strict=False))
            keywords = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            yield from ((argument.arg, default) for argument, default in given)
            yield from ((argument.arg, value) for argument, value in keywords if value)


class Reader:
    """Reads expressions as values; `where` is the path inside of the dict."""

    def __init__(self, tree: ast.Module, notes: Notes) -> None:
        self._notes = notes
        self._names: dict[str, ast.expr | None] = {}
        self._open: list[str] = []
        self._parts = 0
        for name, value in _assignments(tree):
            # A name that is given twice may mean either.
            self._names[name] = None if name in self._names else value

    def value(self, node: ast.expr, where: str) -> t.Any:  # noqa: ANN401 - any JSON value
        """Return the value of an expression, or OMITTED."""
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise InputError(
                f"The dict has more than {MOST_PARTS} parts. Leave some resources out."
            )
        self._refuse(node)
        reader = getattr(self, f"_{type(node).__name__.lower()}", None)
        value = OMITTED if reader is None else reader(node, where)
        if value is not OMITTED:
            return value
        for part in ast.walk(node):
            self._refuse(part)
        if ".auth." in f".{where}":
            variable = self._notes.variable(where.rpartition(".")[2])
            self._tell(node, where, f"is {_kind(node)}: it becomes {variable}.")
            return variable
        self._tell(node, where, f"is {_kind(node)}, known only by running the code: left out.")
        return OMITTED

    def _tell(self, node: ast.AST, where: str, text: str) -> None:
        self._notes.add(f"line {line_of(node)}", f"{shown(where) or 'the dict'} {text}")

    @staticmethod
    def _refuse(node: ast.AST) -> None:
        name = ""
        if isinstance(node, ast.Name):
            name = node.id
        elif isinstance(node, ast.Attribute):
            name = node.attr
        elif isinstance(node, ast.Call):
            name = dotted(node.func)
        is_os = name.startswith("os.") and name not in _GETENV
        if name.startswith("__") or name.split(".")[0] in _FORBIDDEN or is_os:
            raise InputError(
                f"line {line_of(node)}: the dict uses `{shown(name)}`, which a description "
                "has no use for. Nothing was run, and nothing is imported. Write a value there."
            )

    # --- literals ---------------------------------------------------------------------------

    def _constant(self, node: ast.Constant, _: str) -> t.Any:  # noqa: ANN401 - any JSON value
        value = node.value
        if isinstance(value, str):
            # Half a character of UTF-16, which Python can escape, is no text.
            return value if value == value.encode(errors="ignore").decode() else OMITTED
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int) and value.bit_length() <= _MOST_BITS:
            return value
        return value if isinstance(value, float) and math.isfinite(value) else OMITTED

    def _dict(self, node: ast.Dict, where: str) -> t.Any:  # noqa: ANN401 - OMITTED as well
        members: dict[str, t.Any] = {}
        for key, inner in zip(node.keys, node.values, strict=True):
            if key is None:
                members |= self._spread(inner, where, dict, {})
                continue
            name = self.value(key, where)
            if not isinstance(name, str):
                self._tell(key, where, "has a key that isn't a text: left out.")
                continue
            self._put(members, name, inner, where)
        return members

    def _spread(self, node: ast.expr, where: str, kind: type[T], none: T) -> T:
        """Return what is put into a dict or a list in one go."""
        given = self._names.get(node.id) if isinstance(node, ast.Name) else node
        value = self.value(node, where) if given is not None else OMITTED
        if isinstance(value, kind):
            return value
        self._tell(node, where, "takes in what is known only by running the code: left out.")
        return none

    def _put(self, members: dict[str, t.Any], name: str, node: ast.expr, where: str) -> None:
        value = self.value(node, f"{where}.{shown(name)}".removeprefix("."))
        if value is not OMITTED:
            members[name] = value

    def _list(self, node: ast.List | ast.Tuple | ast.Set, where: str) -> t.Any:  # noqa: ANN401 - OMITTED as well
        items: list[t.Any] = []
        for index, part in enumerate(node.elts):
            if isinstance(part, ast.Starred):
                items += self._spread(part.value, where, list, [])
                continue
            item = self.value(part, f"{where}[{index}]")
            items += [] if item is OMITTED else [item]
        return items

    _tuple = _set = _list

    def _unaryop(self, node: ast.UnaryOp, where: str) -> t.Any:  # noqa: ANN401 - any number
        value = self.value(node.operand, where)
        if isinstance(node.op, ast.USub) and isinstance(value, int | float):
            return -value
        return OMITTED

    def _binop(self, node: ast.BinOp, where: str) -> t.Any:  # noqa: ANN401 - any JSON value
        left, right = self.value(node.left, where), self.value(node.right, where)
        if isinstance(node.op, ast.Add):
            if isinstance(left, str) and isinstance(right, str):
                return self._bounded(left + right)
            if isinstance(left, list) and isinstance(right, list):
                return left + right
        if isinstance(node.op, ast.BitOr) and isinstance(left, dict) and isinstance(right, dict):
            return {**left, **right}
        return OMITTED

    def _joinedstr(self, node: ast.JoinedStr, where: str) -> t.Any:  # noqa: ANN401 - OMITTED as well
        text = ""
        for part in node.values:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            value = self.value(inner, where)
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                return OMITTED
            written = str(value)
            if isinstance(part, ast.FormattedValue) and written.startswith("$"):
                written = f"${{{written[1:]}}}"
            text = self._bounded(text + written)
        return text

    @staticmethod
    def _bounded(text: str) -> str:
        if len(text) > MOST_TEXT:
            raise InputError(
                f"The dict has a text of more than {MOST_TEXT} characters. Write a shorter one."
            )
        return text

    # --- names, settings, calls -------------------------------------------------------------

    def _name(self, node: ast.Name, where: str) -> t.Any:  # noqa: ANN401 - any JSON value
        name, given = node.id, self._names.get(node.id)
        if given is None or name in self._open:
            variable = self._notes.variable(name)
            self._tell(node, where, f"is the name `{shown(name)}`: it becomes {variable}.")
            return variable
        if dotted(given) in {"dlt.secrets.value", "dlt.config.value"}:
            return self._setting(node, name)
        self._open.append(name)
        try:
            return self.value(given, where)
        finally:
            self._open.pop()

    def _attribute(self, node: ast.Attribute, where: str) -> t.Any:  # noqa: ANN401 - any JSON value
        name = dotted(node)
        if name in {"dlt.secrets.value", "dlt.config.value"}:
            return self._setting(node, where.rpartition(".")[2])
        if not name:
            return OMITTED
        variable = self._notes.variable(node.attr)
        self._tell(node, where, f"is `{shown(name)}`: it becomes {variable}.")
        return variable

    def _subscript(self, node: ast.Subscript, where: str) -> t.Any:  # noqa: ANN401 - any JSON value
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        base = dotted(node.value)
        if isinstance(key, str) and base in _ENVIRONMENT:
            return self._of_environment(node, key)
        if isinstance(key, str) and base in _SETTINGS and base not in self._names:
            return self._setting(node, key)
        holder = self.value(node.value, where) if base in self._names else None
        if isinstance(holder, dict) and isinstance(key, str) and key in holder:
            return holder[key]
        if isinstance(key, str) and base:
            variable = self._notes.variable(key)
            self._tell(node, where, f"is a member of `{shown(base)}`: it becomes {variable}.")
            return variable
        return OMITTED

    def _call(self, node: ast.Call, where: str) -> t.Any:  # noqa: ANN401 - any JSON value
        called = dotted(node.func)
        first = node.args[0] if node.args else None
        key = first.value if isinstance(first, ast.Constant) else None
        if called in _GETENV and isinstance(key, str):
            return self._of_environment(node, key)
        if called in {"dlt.secrets.get", "dlt.config.get"} and isinstance(key, str):
            return self._setting(node, key)
        if called in DICTS and not node.args:
            members: dict[str, t.Any] = {}
            for word in node.keywords:
                if word.arg is not None:
                    self._put(members, word.arg, word.value, where)
            return members
        kind, names = _CLASSES.get(called.rpartition(".")[2], ("", ()))
        if not kind or len(node.args) > len(names):
            return OMITTED
        made: dict[str, t.Any] = {"type": kind}
        for name, argument in zip(names, node.args, strict=False):
            self._put(made, name, argument, where)
        for word in node.keywords:
            if word.arg is not None:
                self._put(made, word.arg, word.value, where)
        return made

    def _setting(self, node: ast.AST, key: str) -> str:
        variable = self._notes.variable(key)
        self._notes.add(
            f"line {line_of(node)}", f"dlt's setting `{shown(key)}` becomes {variable}."
        )
        return variable

    def _of_environment(self, node: ast.AST, key: str) -> str:
        is_name = key.isascii() and key.isidentifier()
        variable = f"${key}" if is_name else self._notes.variable(key)
        self._notes.add(f"line {line_of(node)}", f"the environment's `{shown(key)}` is {variable}.")
        return variable


def _kind(node: ast.AST) -> str:
    return _KINDS.get(type(node).__name__, "an expression")
