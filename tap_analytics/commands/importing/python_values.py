"""Values of Python expressions, read from the syntax tree without running code.

Secrets, settings and environment variables become `$VARIABLE`s; other values known only at run time
are `Unread`.
"""

from __future__ import annotations

import ast
import contextlib
import typing as t

from tap_analytics.commands.importing.notes import shown
from tap_analytics.commands.importing.python_classes import (
    CLASSES,
    IDENTITIES,
    in_header,
    is_dict,
    of_class,
)
from tap_analytics.commands.importing.python_literals import GETENV, Literals, dotted
from tap_analytics.commands.importing.python_names import (
    Changed,
    calls,
    functions_in,
    innermost,
    names_of,
    scopes_of,
)
from tap_analytics.commands.importing.python_operations import (
    OMITTED,
    changed,
    combined,
    copied,
    is_scalar,
    marked,
    of_method,
)
from tap_analytics.commands.importing.unread import UNPACKED, Unread, of_function, unread_in

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.commands.importing.loading import JsonValue, Object
    from tap_analytics.commands.importing.notes import Notes
    from tap_analytics.commands.importing.python_names import Function

_ENVIRONMENT = {"os.environ", "environ"}
_SETTINGS = {"dlt.secrets", "dlt.config", "secrets", "config", "dlt.secrets.value"}
_SETTING_VALUES = {"dlt.secrets.value", "dlt.config.value"}
_GET_SETTING = {"dlt.secrets.get", "dlt.config.get"}


class NamedValues(Literals):
    """Reads expressions with names, their members, and comprehensions."""

    def __init__(self, tree: ast.Module, notes: Notes, node: ast.expr) -> None:
        super().__init__(notes)
        self._tree = tree
        self._functions = functions_in(tree)
        self._scopes = scopes_of(tree, node)
        self._open: list[str] = []

    def _name(self, node: ast.Name, where: str) -> JsonValue:
        name = node.id
        if name in self._bound:
            return self._bound[name]
        given = self._named(name)
        if given is None and (function := self._functions.get(name)) is not None:
            return of_function(function, where)
        if given is None or name in self._open:
            return Unread(node, where, f"is the name `{shown(name)}`", name)
        if dotted(given) in _SETTING_VALUES:
            return self._variables.setting(node, name)
        with self._opened(name):
            return self.value(given, where)

    def _named(self, name: str) -> ast.expr | None:
        return next((names[name] for names in self._scopes if name in names), None)

    def _changed(self, node: Changed, where: str) -> JsonValue:
        """Return what a name has after the statements that change it."""
        changes: list[Changed] = []
        base: ast.expr = node
        while isinstance(base, Changed):
            changes.insert(0, base)
            base = base.base
        value = copied(self.value(base, where))
        for each in changes:
            value = self._after(each, value, where)
        return value

    def _after(self, change: Changed, base: JsonValue, where: str) -> JsonValue:
        tests = [self._decided(each, where) for each in change.tests]
        if False in tests or isinstance(base, Unread):
            return base
        keys = [
            ... if isinstance(key, ast.Constant) and key.value is ... else self.value(key, where)
            for key in change.keys
        ]
        named = [shown(key) for key in keys if isinstance(key, str)]
        place = ".".join([where, *named]).removeprefix(".")
        bound = self._bound
        if change.is_own:
            self._bound = {**bound, change.name: copied(base)}
        value = self.value(change.value, place)
        self._bound = bound
        is_plain = is_scalar(base) and not keys and change.method == "extend"
        if None not in tests and is_plain:
            return combined(ast.Add(), base, self._in_text(value))
        if None in tests or not change.method or not changed(base, keys, change.method, value):
            return marked(base, keys, Unread(change, place, "is changed", ""))
        return base

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[None]:
        self._open.append(name)
        try:
            yield
        finally:
            self._open.pop()

    def _attribute(self, node: ast.Attribute, where: str) -> JsonValue:
        name = dotted(node)
        if name in _SETTING_VALUES:
            return self._variables.setting(node, where.rpartition(".")[2])
        return Unread(node, where, f"is `{shown(name)}`", node.attr) if name else OMITTED

    def _subscript(self, node: ast.Subscript, where: str) -> JsonValue:
        base, key = dotted(node.value), _key(node.slice)
        if key is not None and base in _ENVIRONMENT:
            return self._variables.environment(node, key)
        if key is not None and base in _SETTINGS and self._named(base) is None:
            return self._variables.setting(node, key)
        parent = self.value(node.value, where)
        index = self.value(node.slice, where)
        if isinstance(parent, dict) and isinstance(index, str) and UNPACKED not in parent:
            return parent.get(index, OMITTED)
        if isinstance(parent, list) and isinstance(index, int):
            return parent[index] if -len(parent) <= index < len(parent) else OMITTED
        what = f"is a member of `{shown(base)}`" if base else "is an expression"
        return Unread(node, where, what, key or "")

    def _listcomp(self, node: ast.ListComp, where: str) -> JsonValue:
        [loop, *others] = node.generators
        items = self.value(loop.iter, where)
        items = [*items] if isinstance(items, dict) else items
        if not isinstance(items, list):
            return OMITTED
        made: list[t.Any] = []
        bound = self._bound
        for item in items:
            self._bound = {**bound, **_unpacked(loop.target, item)}
            tests = [self._decided(test, where) for test in loop.ifs]
            inner: t.Any = []
            if others and not {None, False}.intersection(tests):
                inner = self._listcomp(_inner(node), where)
            elif False not in tests:
                inner = [self.value(node.elt, f"{where}[{len(made)}]")]
            if None in tests or inner is OMITTED:
                self._bound = bound
                return OMITTED
            made += inner
        self._bound = bound
        return made

    _generatorexp = _listcomp

    def _dictcomp(self, node: ast.DictComp, where: str) -> JsonValue:
        pair = ast.Tuple(elts=[node.key, node.value], ctx=ast.Load())
        pairs = self._listcomp(ast.ListComp(elt=pair, generators=node.generators), where)
        if pairs is OMITTED or not all(isinstance(key, str) for key, _ in pairs):
            return OMITTED
        return dict(pairs)


class Reader(NamedValues):
    """Reads expressions of any kind: calls, besides names and literals."""

    def meaning(self, node: ast.expr) -> ast.expr:
        """Return what the name of a dict means behind the statements that change it."""
        named = [each for names in self._scopes for each in names.values()]
        return next((each for each in named if each and innermost(each) is node), node)

    def named(self, node: ast.expr) -> ast.expr | None:
        """Return what a name was given at first; other expressions as they are."""
        return innermost(self._named(node.id)) if isinstance(node, ast.Name) else node

    def is_called_once(self, node: ast.Call) -> bool:
        """Whether a call is the only one of a function of the file."""
        name = dotted(node.func)
        return self._functions.get(name) is not None and len([*calls(name, self._tree)]) == 1

    def changing(self, node: ast.expr) -> Iterator[ast.Call]:
        """Yield the calls of functions of the file that change a dict that they are given."""
        names = {
            name
            for scope in self._scopes
            for name, each in scope.items()
            if innermost(each) is node
        }
        for call in [each for each in ast.walk(self._tree) if isinstance(each, ast.Call)]:
            if (function := self._functions.get(dotted(call.func))) is None:
                continue
            parameters = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
            given = [*zip(parameters, call.args, strict=False)]
            given += [(word.arg or "", word.value) for word in call.keywords]
            meant = names_of(function, self._tree)
            for name, value in given:
                is_given = isinstance(value, ast.Name) and value.id in names
                if is_given and isinstance(meant.get(name), Changed):
                    yield call

    def _call(self, node: ast.Call, where: str) -> JsonValue:
        func = node.func.value if isinstance(node.func, ast.Subscript) else node.func
        called = dotted(func)
        if (variable := self._setting(node, called)) is not None:
            return variable
        if (kind := of_class(called)) or (is_dict(called) and not node.args):
            return self._made(node, where, *(kind or ("", ())))
        if (added := in_header(self._tree, called)) is not None:
            return self._in_header(node, where, added)
        if (function := self._functions.get(called)) is not None:
            return self._returned(function, node, where)
        if called.rpartition(".")[2] in IDENTITIES or not isinstance(func, ast.Attribute):
            return self._converted(node, called, where)
        return self._method(func, node, where)

    def _setting(self, node: ast.Call, called: str) -> str | None:
        key = _key(node.args[0]) if node.args else None
        if key is not None and called in GETENV:
            return self._variables.environment(node, key)
        is_setting = key is not None and called in _GET_SETTING
        return self._variables.setting(node, key or "") if is_setting else None

    def _converted(self, node: ast.Call, called: str, where: str) -> object:
        if called.rpartition(".")[2] in IDENTITIES and node.args and not node.keywords:
            value = self.value(node.args[-1], where)
            return [*value] if called == "list" and isinstance(value, dict) else value
        if called not in {"str", "int"} or len(node.args) != 1:
            return OMITTED
        value = self.value(node.args[0], where)
        if isinstance(value, Unread) or not is_scalar(value):
            return value if isinstance(value, Unread) else OMITTED
        return str(value) if called == "str" else value

    def _made(self, node: ast.Call, where: str, kind: str, names: tuple[str, ...]) -> JsonValue:
        """Return the dict that a class of dlt stands for."""
        if len(node.args) > len(names):
            return OMITTED
        made: Object = {"type": kind} if kind else {}
        named = ((word.arg or UNPACKED, word.value) for word in node.keywords)
        for name, argument in (*zip(names, node.args, strict=False), *named):
            value = self.value(argument, where) if name == UNPACKED else None
            if isinstance(value, dict):
                made |= value
            else:
                self._put(made, name, argument, where)
        return made

    def _in_header(self, node: ast.Call, where: str, added: Object) -> JsonValue:
        """Return client credentials in a header, whose form has no fields but those given."""
        made = self._made(node, where, *CLASSES["OAuth2ClientCredentials"])
        form = {} if made is OMITTED else made.get("access_token_request_data")
        is_whole = isinstance(form, dict) and "grant_type" in form
        return {**made, **added} if is_whole else OMITTED

    def _method(self, func: ast.Attribute, node: ast.Call, where: str) -> object:
        value = self.value(func.value, where)
        if isinstance(value, Unread):
            return OMITTED
        arguments = [self.value(each, where) for each in node.args]
        words = {word.arg or "": self.value(word.value, where) for word in node.keywords}
        given = [*arguments, *words.values()]
        return OMITTED if [*unread_in(given)] else of_method(func.attr, value, arguments, words)

    def _returned(self, function: Function, node: ast.Call, where: str) -> JsonValue:
        """Return what a function of the file returns, if that is one expression."""
        returns = [each for each in ast.walk(function) if isinstance(each, ast.Return)]
        value = returns[0].value if len(returns) == 1 else None
        is_odd = function.decorator_list or f"{function.name}()" in self._open
        if value is None or is_odd or not all(word.arg for word in node.keywords):
            return OMITTED
        scopes, bound = self._scopes, self._bound
        names = names_of(function, self._tree)
        parameters = [*function.args.posonlyargs, *function.args.args]
        given = {each.arg: arg for each, arg in zip(parameters, node.args, strict=False)}
        given |= {word.arg: word.value for word in node.keywords if word.arg}
        self._bound = {name: self.value(each, where) for name, each in given.items()}
        self._scopes = [names, *scopes[-1:]]
        try:
            with self._opened(f"{function.name}()"):
                return self.value(value, where)
        finally:
            self._scopes, self._bound = scopes, bound


def _inner(node: ast.ListComp) -> ast.ListComp:
    """Return what is made for an item of the outer loop."""
    return ast.copy_location(ast.ListComp(elt=node.elt, generators=node.generators[1:]), node)


def _unpacked(target: ast.expr, item: JsonValue) -> dict[str, JsonValue]:
    """Return the variables of a loop with their values."""
    if isinstance(target, ast.Name):
        return {target.id: item}
    targets = target.elts if isinstance(target, (ast.Tuple, ast.List)) else []
    if not isinstance(item, list) or len(item) != len(targets):
        return {}
    return {
        name: value
        for each, inner in zip(targets, item, strict=True)
        for name, value in _unpacked(each, inner).items()
    }


def _key(node: ast.expr) -> str | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else None
