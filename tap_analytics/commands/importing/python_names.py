"""What names mean in Python code, from the assignments around a dict.

Lists that are appended to and dicts whose members are set are put together from these statements,
also those in loops. A name with several meanings has none.
"""

from __future__ import annotations

import ast
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Function = ast.FunctionDef | ast.AsyncFunctionDef
#: By name; None for a name that can't be read.
Names = dict[str, ast.expr | None]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def functions_in(tree: ast.Module) -> dict[str, Function | None]:
    """Return the functions of a module by name; None for several of one name."""
    found: dict[str, Function | None] = {}
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTIONS):
            found[node.name] = None if node.name in found else node
    return found


def scopes_of(tree: ast.Module, node: ast.AST) -> list[Names]:
    """Return the names that a node can refer to, those of the innermost function first."""
    around = [
        each
        for each in ast.walk(tree)
        if isinstance(each, _FUNCTIONS) and any(part is node for part in ast.walk(each))
    ]
    # Outer functions are walked before inner ones.
    return [names_of(each, tree) for each in (*reversed(around), tree)]


def names_of(scope: Function | ast.Module, tree: ast.Module) -> Names:
    """Return the names that a function or a module gives values to."""
    names: Names = {} if isinstance(scope, ast.Module) else _parameters(scope, tree)
    _Statements(names).read(scope.body)
    return names


def _parameters(function: Function, tree: ast.Module) -> Names:
    """Return parameters with what the only call passes, else with their defaults."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    names: Names = {each.arg: None for each in (*positional, *arguments.kwonlyargs)}
    pairs = zip(reversed(positional), reversed(arguments.defaults), strict=False)
    names |= {each.arg: value for each, value in pairs}
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    names |= {each.arg: value for each, value in keywords if value is not None}
    passed: dict[str, list[ast.expr]] = {}
    for call in _calls(function.name, tree):
        given = zip(positional, call.args, strict=False)
        for name, value in [(each.arg, value) for each, value in given]:
            passed.setdefault(name, []).append(value)
        for word in call.keywords:
            passed.setdefault(word.arg or "", []).append(word.value)
    for name, values in passed.items():
        if name in names:
            is_one = len({ast.dump(each) for each in values}) == 1
            names[name] = values[0] if is_one else None
    return names


def _calls(name: str, tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


class _Statements:
    """Collects names from statements in their order."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._loops: list[ast.comprehension] = []
        self._tests: list[ast.expr] = []
        self._assigned: set[str] = set()
        self._lists: dict[str, ast.List] = {}

    def read(self, body: Sequence[ast.stmt]) -> None:
        """Read statements, and those inside them."""
        for statement in body:
            reader = getattr(self, f"_{type(statement).__name__.lower()}", None)
            if reader is not None:
                reader(statement)

    def _assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._set(target, node.value)

    def _annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._set(node.target, node.value)

    def _set(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            known = self._names.get(target.id) if target.id in self._assigned else None
            is_new = target.id not in self._names or (known and _same(known, value))
            self._names[target.id] = value if is_new else None
            self._assigned.add(target.id)
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            self._put(target.value.id, target.slice, value)
        else:
            for each in ast.walk(target):
                if isinstance(each, ast.Name):
                    self._names[each.id] = None

    def _put(self, name: str, key: ast.expr, value: ast.expr) -> None:
        """Add a member to a dict."""
        if (base := self._names.get(name)) is not None:
            made = ast.Dict(keys=[None, key], values=[base, self._maybe(value)])
            # In a loop, the last value counts.
            self._names[name] = None if self._loops else ast.copy_location(made, base)

    def _augassign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._append(node.target.id, node.value, is_list=True)

    def _expr(self, node: ast.Expr) -> None:
        call = node.value
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            return
        called, name = call.func.attr, call.func.value
        if not isinstance(name, ast.Name) or name.id not in self._names:
            return
        if called in {"append", "extend"} and len(call.args) == 1:
            self._append(name.id, call.args[0], is_list=called == "extend")
        elif called in {"clear", "insert", "pop", "remove", "setdefault", "sort", "update"}:
            self._names[name.id] = None

    def _append(self, name: str, value: ast.expr, *, is_list: bool) -> None:
        """Add an item, or those of a list, to a list."""
        if (base := self._names.get(name)) is None:
            return
        if len(self._loops) + is_list > 1:
            # Lists in a list can't be unpacked at once.
            self._names[name] = None
            return
        item = self._maybe(value)
        if self._loops:
            inner = ast.ListComp(elt=item, generators=[*self._loops])
            item, is_list = ast.copy_location(inner, value), True
        if is_list:
            item = _starred(item)
        if name not in self._lists:
            # A copy, for the list itself may be read again.
            kept = base.elts if isinstance(base, ast.List) else [_starred(base)]
            self._lists[name] = made = ast.List(elts=[*kept], ctx=ast.Load())
            self._names[name] = ast.copy_location(made, base)
        self._lists[name].elts.append(item)

    def _maybe(self, value: ast.expr) -> ast.expr:
        """Return a value that is given only under a condition as such a choice."""
        for test in reversed(self._tests):
            none = ast.copy_location(ast.Constant(value=None), value)
            value = ast.copy_location(ast.IfExp(test=test, body=value, orelse=none), value)
        return value

    def _for(self, node: ast.For) -> None:
        loop = ast.comprehension(target=node.target, iter=node.iter, ifs=[], is_async=0)
        for each in ast.walk(node.target):
            if isinstance(each, ast.Name):
                self._names.setdefault(each.id, None)
        self._loops.append(loop)
        self.read(node.body)
        self._loops.pop()

    def _if(self, node: ast.If) -> None:
        self._tests.append(node.test)
        self.read(node.body)
        self.read(node.orelse)
        self._tests.pop()

    def _with(self, node: ast.With | ast.Try | ast.While) -> None:
        self.read(node.body)

    _asyncwith = _try = _while = _with


def _starred(value: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Starred(value=value, ctx=ast.Load()), value)


def _same(one: ast.expr, other: ast.expr) -> bool:
    return ast.dump(one) == ast.dump(other)
