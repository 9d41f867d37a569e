"""Values of Python expressions, read from the syntax tree without running code.

Literals are kept. Secrets, settings and environment variables become `$VARIABLE`s; other values
known only at run time are left out and noted with their line.
"""

from __future__ import annotations

import ast
import typing as t

from tap_analytics.commands.importing.loading import plain
from tap_analytics.commands.importing.notes import shown
from tap_analytics.errors import InputError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.commands.importing.notes import Notes

T = t.TypeVar("T")

#: Sentinel for a value known only at run time.
OMITTED = object()
#: Maximum number of nodes of a dict, including those of names it refers to.
MOST_PARTS = 50_000
MOST_TEXT = 100_000

#: Names that no description needs, but an attack would.
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
_SETTING_VALUES = {"dlt.secrets.value", "dlt.config.value"}
_API_KEY = ("api_key", ("name", "api_key", "location"))
_JSON_LINK = ("json_link", ("next_url_path",))
#: Classes of dlt's REST client: the `type` they stand for, and the names of their arguments.
_CLASSES: dict[str, tuple[str, tuple[str, ...]]] = {
    "APIKeyAuth": _API_KEY,
    "ApiKeyAuth": _API_KEY,
    "BearerTokenAuth": ("bearer", ("token",)),
    "HttpBasicAuth": ("http_basic", ("username", "password")),
    "OAuth2ClientCredentials": (
        "oauth2_client_credentials",
        ("access_token_url", "client_id", "client_secret", "access_token_request_data"),
    ),
    "HeaderCursorPaginator": ("header_cursor", ("cursor_key", "cursor_param")),
    "HeaderLinkPaginator": ("header_link", ("links_next_key",)),
    "JSONLinkPaginator": _JSON_LINK,
    "JSONResponsePaginator": _JSON_LINK,
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
    """Return the first line of a node."""
    return int(getattr(node, "lineno", 0))


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for such an expression, else an empty string."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield names with their assigned values, including parameter defaults."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            yield from ((one.id, node.value) for one in node.targets if isinstance(one, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            positional = [*node.args.posonlyargs, *node.args.args]
            given = [*zip(reversed(positional), reversed(node.args.defaults), strict=False)]
            keywords = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            yield from ((parameter.arg, value) for parameter, value in given)
            yield from ((parameter.arg, value) for parameter, value in keywords if value)


def _refuse(node: ast.AST) -> None:
    """Raise `InputError` for a forbidden name."""
    name = ""
    if isinstance(node, ast.Name | ast.Call):
        name = node.id if isinstance(node, ast.Name) else dotted(node.func)
    elif isinstance(node, ast.Attribute):
        name = node.attr
    is_os = name.startswith("os.") and name not in _GETENV
    if name.startswith("__") or name.split(".")[0] in _FORBIDDEN or is_os:
        raise InputError(
            f"line {line_of(node)}: the dict uses `{shown(name)}`, which is not allowed. "
            "No code was run, and nothing is imported. Write a value instead."
        )


def _bounded(text: str) -> str:
    if len(text) > MOST_TEXT:
        raise InputError(
            f"The dict has a text of more than {MOST_TEXT} characters. Write a shorter one."
        )
    return text


class _Variables:
    """Variables for values that aren't in the code, with notes on their lines."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def note(self, node: ast.AST, where: str, text: str) -> None:
        self._notes.add(f"line {line_of(node)}", f"{shown(where) or 'the dict'} {text}")

    def expression(self, node: ast.AST, where: str, name: str, what: str) -> str:
        variable = self._notes.variable(name)
        self.note(node, where, f"{what}: it becomes {variable}.")
        return variable

    def setting(self, node: ast.AST, key: str) -> str:
        variable = self._notes.variable(key)
        text = f"dlt's setting `{shown(key)}` becomes {variable}."
        self._notes.add(f"line {line_of(node)}", text)
        return variable

    def environment(self, node: ast.AST, key: str) -> str:
        is_name = key.isascii() and key.isidentifier()
        variable = f"${key}" if is_name else self._notes.variable(key)
        text = f"the environment's `{shown(key)}` is {variable}."
        self._notes.add(f"line {line_of(node)}", text)
        return variable


def _combined(operator: ast.operator, left: object, right: object) -> object:
    match operator, left, right:
        case ast.Add(), str(), str():
            return _bounded(left + right)
        case ast.Add(), list(), list():
            return left + right
        case ast.BitOr(), dict(), dict():
            return {**left, **right}
    return OMITTED


class Reader:
    """Reads the values of expressions; each method is named after a class of `ast`.

    `where` is the path inside the dict; methods return OMITTED for values they can't read.
    """

    def __init__(self, tree: ast.Module, notes: Notes) -> None:
        self._variables = _Variables(notes)
        self._names: dict[str, ast.expr | None] = {}
        self._open: list[str] = []
        self._parts = 0
        for name, value in _assignments(tree):
            # A name assigned twice is ambiguous.
            self._names[name] = None if name in self._names else value

    def value(self, node: ast.expr, where: str) -> t.Any:  # noqa: ANN401 - any JSON value
        """Return the value of an expression, or OMITTED."""
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise InputError(
                f"The dict has more than {MOST_PARTS} parts. Leave some resources out."
            )
        _refuse(node)
        kind = type(node).__name__
        reader = getattr(self, f"_{kind.lower()}", None)
        value = OMITTED if reader is None else reader(node, where)
        if value is not OMITTED:
            return value
        for part in ast.walk(node):
            _refuse(part)
        what = f"is {_KINDS.get(kind, 'an expression')}"
        if ".auth." in f".{where}":
            return self._variables.expression(node, where, where.rpartition(".")[2], what)
        self._variables.note(node, where, f"{what}, known only by running the code: left out.")
        return OMITTED

    # --- literals -----------------------------------------------------------------------------

    def _constant(self, node: ast.Constant, _: str) -> t.Any:  # noqa: ANN401 - any JSON value
        try:
            return plain(node.value)
        except ValueError:
            return OMITTED

    def _dict(self, node: ast.Dict, where: str) -> dict[str, t.Any]:
        members: dict[str, t.Any] = {}
        for key, inner in zip(node.keys, node.values, strict=True):
            if key is None:
                members |= self._spread(inner, where, {})
            elif isinstance(name := self.value(key, where), str):
                self._put(members, name, inner, where)
            else:
                self._variables.note(key, where, "has a key that isn't a text: left out.")
        return members

    def _spread(self, node: ast.expr, where: str, none: T) -> T:
        """Return the value unpacked into a dict or a list, or `none`."""
        is_unknown = isinstance(node, ast.Name) and self._names.get(node.id) is None
        value = OMITTED if is_unknown else self.value(node, where)
        if isinstance(value, type(none)):
            return value
        self._variables.note(
            node, where, "unpacks a value known only by running the code: left out."
        )
        return none

    def _put(self, members: dict[str, t.Any], name: str, node: ast.expr, where: str) -> None:
        value = self.value(node, f"{where}.{shown(name)}".removeprefix("."))
        if value is not OMITTED:
            members[name] = value

    def _list(self, node: ast.List | ast.Tuple | ast.Set, where: str) -> list[t.Any]:
        items: list[t.Any] = []
        for index, part in enumerate(node.elts):
            if isinstance(part, ast.Starred):
                items += self._spread(part.value, where, [])
            elif (item := self.value(part, f"{where}[{index}]")) is not OMITTED:
                items.append(item)
        return items

    _tuple = _set = _list

    def _unaryop(self, node: ast.UnaryOp, where: str) -> t.Any:  # noqa: ANN401 - any number
        value = self.value(node.operand, where)
        is_negative = isinstance(node.op, ast.USub) and isinstance(value, int | float)
        return -value if is_negative else OMITTED

    def _binop(self, node: ast.BinOp, where: str) -> t.Any:  # noqa: ANN401 - any JSON value
        return _combined(node.op, self.value(node.left, where), self.value(node.right, where))

    def _joinedstr(self, node: ast.JoinedStr, where: str) -> t.Any:  # noqa: ANN401 - OMITTED as well
        text = ""
        for part in node.values:
            is_inserted = isinstance(part, ast.FormattedValue)
            value = self.value(part.value if isinstance(part, ast.FormattedValue) else part, where)
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                return OMITTED
            written = str(value)
            if is_inserted and written.startswith("$"):
                written = f"${{{written[1:]}}}"
            text = _bounded(text + written)
        return text

    # --- names, settings, calls ---------------------------------------------------------------

    def _name(self, node: ast.Name, where: str) -> t.Any:  # noqa: ANN401 - any JSON value
        name, given = node.id, self._names.get(node.id)
        if given is None or name in self._open:
            return self._variables.expression(node, where, name, f"is the name `{shown(name)}`")
        if dotted(given) in _SETTING_VALUES:
            return self._variables.setting(node, name)
        self._open.append(name)
        try:
            return self.value(given, where)
        finally:
            self._open.pop()

    def _attribute(self, node: ast.Attribute, where: str) -> t.Any:  # noqa: ANN401 - any JSON value
        name = dotted(node)
        if name in _SETTING_VALUES:
            return self._variables.setting(node, where.rpartition(".")[2])
        return (
            self._variables.expression(node, where, node.attr, f"is `{shown(name)}`")
            if name
            else OMITTED
        )

    def _subscript(self, node: ast.Subscript, where: str) -> t.Any:  # noqa: ANN401 - any JSON value
        base, key = dotted(node.value), _key(node.slice)
        if key is not None and base in _ENVIRONMENT:
            return self._variables.environment(node, key)
        if key is not None and base in _SETTINGS and base not in self._names:
            return self._variables.setting(node, key)
        parent = self.value(node.value, where) if base in self._names else None
        if isinstance(parent, dict) and key in parent:
            return parent[key]
        if key is None or not base:
            return OMITTED
        return self._variables.expression(node, where, key, f"is a member of `{shown(base)}`")

    def _call(self, node: ast.Call, where: str) -> t.Any:  # noqa: ANN401 - any JSON value
        called = dotted(node.func)
        key = _key(node.args[0]) if node.args else None
        if called in _GETENV and key is not None:
            return self._variables.environment(node, key)
        if called in {"dlt.secrets.get", "dlt.config.get"} and key is not None:
            return self._variables.setting(node, key)
        kind, names = _CLASSES.get(called.rpartition(".")[2], ("", ()))
        if called in DICTS and not node.args:
            kind = ""
        elif not kind or len(node.args) > len(names):
            return OMITTED
        made: dict[str, t.Any] = {"type": kind} if kind else {}
        named = ((word.arg, word.value) for word in node.keywords if word.arg is not None)
        for name, argument in (*zip(names, node.args, strict=False), *named):
            self._put(made, name, argument, where)
        return made


def _key(node: ast.expr) -> str | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else None
