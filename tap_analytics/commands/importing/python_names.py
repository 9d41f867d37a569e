"""What names mean in Python code, from the assignments around a dict.

Lists that are appended to and dicts whose members are set are put together from these statements,
also those in loops: a change is an expression of what it changes, so that what a name means stays
one expression. A name with several meanings has none.
"""

from __future__ import annotations

import ast
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


Function = ast.FunctionDef | ast.AsyncFunctionDef
#: By name; None for a name that can't be read.
Names = dict[str, ast.expr | None]
#: What is always true where a file is run.
OF_SCRIPTS = ("__name__ == '__main__'",)
#: Methods that change a list or a dict.
_CHANGING = {
    *("append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse"),
    *("setdefault", "sort", "update"),
}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
#: A name, and the keys behind it.
Place = tuple[str, list[ast.expr]]


class Changed(ast.expr):
    """A list or dict after a statement: `base` with `value` put to the place of `keys`."""

    _fields = ("base", "keys", "value", "tests")

    def __init__(
        self,
        base: ast.expr,
        value: ast.expr,
        *,
        place: Place,
        method: str,
        tests: list[ast.expr],
    ) -> None:
        """Take what the statement says; `method` is `set`, that of a call, or empty for others."""
        super().__init__()
        self.base, self.value, self.method, self.tests = base, value, method, tests
        self.name, self.keys = place
        ast.copy_location(self, value)

    @property
    def is_own(self) -> bool:
        """Whether the value refers to what is changed."""
        parts = ast.walk(self.value)
        return any(isinstance(each, ast.Name) and each.id == self.name for each in parts)


def place_of(node: ast.expr) -> Place | None:
    """Return the name and the keys of `name["a"]["b"]`; None for other expressions."""
    keys: list[ast.expr] = []
    while isinstance(node, ast.Subscript):
        keys.insert(0, node.slice)
        node = node.value
    return (node.id, keys) if isinstance(node, ast.Name) else None


def innermost(node: ast.expr | None) -> ast.expr | None:
    """Return what was changed."""
    while isinstance(node, Changed):
        node = node.base
    return node


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
    for call in calls(function.name, tree):
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


def calls(name: str, tree: ast.Module) -> Iterator[ast.Call]:
    """Yield the calls of a function by its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


class _Statements:
    """Collects names from statements in their order."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._loops: list[ast.comprehension] = []
        self._tests: list[ast.expr] = []
        #: Those around each loop.
        self._around: list[list[ast.expr]] = []
        #: The number of loops around the assignment of a name.
        self._assigned: dict[str, int] = {}
        #: Where the items are that the variable of a loop stands for.
        self._items: dict[str, Place] = {}
        #: Names of the function whose statements are read for what they change around it.
        self._hidden: frozenset[str] | None = None
        #: Where those of them lead that stand for something around it.
        self._aliases: dict[str, Place] = {}
        #: The names of one place by which it is being changed.
        self._followed: list[str] = []

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
        place = place_of(target)
        if self._hidden is not None and not isinstance(target, ast.Subscript):
            if isinstance(target, ast.Name) and (meant := place_of(value)) is not None:
                self._aliases[target.id] = meant
            return
        if isinstance(target, ast.Name):
            known = self._names.get(target.id) if target.id in self._assigned else None
            is_new = target.id not in self._names or (known and _same(known, value))
            self._names[target.id] = value if is_new else None
            self._assigned[target.id] = len(self._loops)
        elif place is not None:
            self._change(place, "set", value)
        else:
            for each in ast.walk(target):
                if isinstance(each, ast.Name):
                    self._names[each.id] = None

    def _augassign(self, node: ast.AugAssign) -> None:
        place = place_of(node.target)
        if place is not None and isinstance(node.op, ast.Add):
            self._add(place, "extend", node.value)
        elif place is not None:
            self._change(place, "update" if isinstance(node.op, ast.BitOr) else "", node.value)

    def _expr(self, node: ast.Expr) -> None:
        call = node.value
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            return
        called, place = call.func.attr, place_of(call.func.value)
        if place is None or called not in _CHANGING:
            return
        argument = call.args[0] if len(call.args) == 1 and not call.keywords else call
        if called in {"append", "extend"} and argument is not call:
            self._add(place, called, argument)
        else:
            self._change(place, called, argument)

    def _add(self, place: Place, method: str, value: ast.expr) -> None:
        """Add an item, or those of a list, to a list."""
        if self._is_own(place[0]):
            self._change(place, method, value)
            return
        if len(self._loops) + (method == "extend") > 1:
            # Lists in a list can't be unpacked at once.
            self._change(place, "", value)
            return
        tests = self._tests
        for loop in self._loops:
            part = ast.comprehension(target=loop.target, iter=loop.iter, ifs=[*tests], is_async=0)
            value = ast.copy_location(ast.ListComp(elt=value, generators=[part]), value)
            method, self._tests = "extend", [test for each in self._around for test in each]
        self._change(place, method, value, is_whole=True)
        self._tests = tests

    def _is_own(self, name: str) -> bool:
        """Whether each turn of the innermost loop has a value of its own for a name."""
        return self._loops != [] and self._assigned.get(name) == len(self._loops)

    def _change(
        self, place: Place, method: str, value: ast.expr, *, is_whole: bool = False
    ) -> None:
        """Change a list or dict; in a loop, what the last turn leaves isn't read."""
        name, keys = place
        if self._hidden is not None and name in self._hidden:
            name, outer = self._aliases.get(name, ("", []))
            place = name, [*outer, *keys]
        name, keys = place
        base, meant = self._names.get(name), innermost(self._names.get(name))
        other = place_of(meant) if isinstance(meant, (ast.Name, ast.Subscript)) else None
        if name not in self._followed:
            self._followed.append(name)
            if name in self._items:
                self._change_items(place, method, value)
            if other is not None:
                # The name is another one for a part of something.
                self._change((other[0], [*other[1], *keys]), method, value, is_whole=is_whole)
            self._followed.pop()
        if base is None:
            return
        is_read = is_whole or not self._loops or self._is_own(name)
        how = method if is_read else ""
        tests = [*self._tests]
        self._names[name] = Changed(base, value, place=place, method=how, tests=tests)

    def _change_items(self, place: Place, method: str, value: ast.expr) -> None:
        """Change each item of a list; not by values that differ between them."""
        name, keys = place
        root, outer = self._items[name]
        parts = [part for each in (value, *self._tests) for part in ast.walk(each)]
        differs = any(isinstance(part, ast.Name) and part.id in self._items for part in parts)
        each_item = ast.copy_location(ast.Constant(value=...), value)
        how = "" if differs else method
        self._change((root, [*outer, each_item, *keys]), how, value, is_whole=True)

    def _functiondef(self, node: Function) -> None:
        """Read what a function changes of the names around it."""
        parts = [*ast.walk(node)]
        stored = {p.id for p in parts if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store)}
        given = {part.arg for part in parts if isinstance(part, ast.arg)}
        hidden, self._hidden = self._hidden, (self._hidden or frozenset()) | stored | given
        self.read(node.body)
        self._hidden = hidden

    _asyncfunctiondef = _functiondef

    def _for(self, node: ast.For) -> None:
        loop = ast.comprehension(target=node.target, iter=node.iter, ifs=[], is_async=0)
        for each in ast.walk(node.target):
            if isinstance(each, ast.Name):
                self._names.setdefault(each.id, None)
        place = place_of(node.iter)
        if place is not None and isinstance(node.target, ast.Name):
            self._items[node.target.id] = place
        self._around.append(self._tests)
        self._loops.append(loop)
        self._tests = []
        self.read(node.body)
        self._loops.pop()
        self._tests = self._around.pop()

    def _if(self, node: ast.If) -> None:
        if ast.unparse(node.test) in OF_SCRIPTS:
            self.read(node.body)
            return
        negated = ast.copy_location(ast.UnaryOp(op=ast.Not(), operand=node.test), node.test)
        for test, body in ((node.test, node.body), (negated, node.orelse)):
            self._tests.append(test)
            self.read(body)
            self._tests.pop()

    def _with(self, node: ast.With | ast.Try | ast.While) -> None:
        self.read(node.body)

    _asyncwith = _try = _while = _with


def _same(one: ast.expr, other: ast.expr) -> bool:
    return ast.dump(one) == ast.dump(other)
