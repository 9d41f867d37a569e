"""Reading messages off the syntax of a module: what is called, and with what text."""

from __future__ import annotations

import ast
import re
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Kind = t.Literal["error", "problem", "part", "warning", "finding"]

_VERBS = """
    Add Ask Check Choose Copy Correct Declare Drop End Free Give Install Keep Leave Look Lower Make
    Move Name Open Pass Pick Put Raise Read Remove Rename Report Run Save See Select Set Start Stop
    Take Try Turn Use Wait Write
""".split()  # noqa: SIM905 - forty words read best as text
_TELLS = re.compile(
    rf"(?:^|[.:;!?] |, |\b(?:and|or) )(?:{'|'.join(_VERBS)})\b"
    r"|\bmust\b|\bDid you mean\b|\bKnown:",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z]{2,}")
_FILLED = re.compile(r"⟨[^⟩]*⟩")
_CHOICE = re.compile(r"⟦[^⟧]*⟧")
_ADDED = "added to what another library says"
_BRACED = re.compile(r"\{(\w+)(?::\w+)?\}")
#: What a finding of the doctor may want changed.
_CHANGED = frozenset({"paginator", "resource", "api"})
_FORMAT = re.compile(r"%[-+.\d]*([sdrfg%])")


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message as the code has it."""

    #: Path of the module below the package, and the line where the message stands.
    module: str
    line: int
    kind: Kind
    #: The class of an error.
    name: str
    text: str
    #: What to do, where an error carries that beside its text.
    hint: str = ""
    #: When an error comes: the first sentence of its class.
    when: str = ""

    @property
    def says_what_to_do(self) -> bool:
        """Whether a reader learns the next step: an imperative, what must be, or the choices."""
        return bool(self.hint) or _TELLS.search(_FILLED.sub("x", self.text)) is not None

    @property
    def pattern(self) -> re.Pattern[str]:
        """What the message looks like when it is told; a word may stand behind its path."""
        added = f"⟨⟩{self.hint}" if self.when == _ADDED else ""
        text = _CHOICE.sub("⟨⟩", self.text.removeprefix("`") + added)
        parts = map(re.escape, _FILLED.split(text))
        return re.compile(".*".join(parts), re.DOTALL)


def says_what_to_do(line: str) -> bool:
    """Whether a line that was told names a next step."""
    return _TELLS.search(line) is not None


class Reader:
    """Reads the messages of one module."""

    def __init__(
        self,
        module: str,
        tree: ast.Module,
        *,
        classes: Mapping[str, str],
        constants: Mapping[str, ast.expr],
    ) -> None:
        self.module = module
        self.classes = classes
        self.constants = constants
        self.tree = tree
        #: What the names of the function in hand were assigned, once each.
        self.local: dict[str, ast.expr] = {}

    def messages(self) -> Iterator[Message]:
        """Yield the messages in the order of the module."""
        yield from self._below(self.tree)

    def _below(self, node: ast.AST) -> Iterator[Message]:
        for child in ast.iter_child_nodes(node):
            outer = self.local
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                self.local = _assigned_once(child)
            if isinstance(child, ast.Call) and (message := self._message(child)):
                yield message
            yield from self._below(child)
            self.local = outer

    def _message(self, call: ast.Call) -> Message | None:
        """Return the message of a call, if it is one that tells something."""
        read = self._read(call)
        if read is None:
            return None
        kind, text, hint = read
        if not _WORD.search(_FILLED.sub("", text + hint)):
            return None
        name = last(call.func)
        return Message(
            module=self.module,
            line=call.lineno,
            kind=kind,
            name=name if kind == "error" else "",
            text=" ".join(text.split()),
            hint=hint,
            when=self.classes.get(name, _ADDED if name == "joined" else ""),
        )

    def _read(self, call: ast.Call) -> tuple[Kind, str, str] | None:
        """Return kind, text and hint of a call that tells something, or passes something on."""
        name, arguments = last(call.func), call.args
        kind: Kind = "problem"
        texts, hint = arguments[-1:], ""
        if name in {"wrong", "warning"} and isinstance(call.func, ast.Name):
            # Of the doctor, which prints the settings to change.
            changed = [f"`{k.arg}`" for k in call.keywords if k.arg in _CHANGED]
            text = self._text(arguments[1])
            hint = f"Change {' and '.join(changed)} as the command shows." if changed else ""
            return ("finding", text, hint) if _WORD.search(_FILLED.sub("", text)) else None
        if name in self.classes:
            kind, texts, hint = "error", arguments[:1], self._hint(call)
        elif name == "joined":
            kind, texts, hint = "error", arguments[:1], self._text(arguments[1])
        elif name == "_Failure":
            _, what, cause, *hints = arguments
            kind, hint = "error", self._row(hints[0] if hints else self._by_cause(cause))
            return kind, f"⟨where⟩ {self._row(what)}", hint
        elif name == "Fault":
            kind = "part"
        elif name in {"warning", "error"} and _is_logger(call.func):
            kind = "error" if name == "error" else "warning"
            return kind, self._formatted(arguments), ""
        elif not (name in {"Problem", "report", "wrong"} or last(call.func) == "error"):
            return None
        passes_on = any(keyword.arg == "errors" for keyword in call.keywords)
        text = "".join(map(self._text, texts))
        if name == "wrong" and _WORD.search(_FILLED.sub("", text)):
            text = f"`{self._text(arguments[0])}` {text}"
        return None if passes_on else (kind, text, hint)

    def _formatted(self, arguments: list[ast.expr]) -> str:
        """Return the text of a log record."""
        filled = iter([each for argument in arguments[1:] for each in _spread(argument)])
        return _FORMAT.sub(
            lambda found: "%" if found[1] == "%" else self._text(next(filled, ast.Name("…"))),
            self._text(arguments[0]),
        )

    # --- texts ------------------------------------------------------------------------------

    def _text(self, node: ast.expr) -> str:
        """Return an expression as the text it makes."""
        text = f"⟨{_label(node)}⟩"
        match node:
            case ast.Constant(value=value):
                text = str(value)
            case ast.JoinedStr(values=values):
                text = "".join(map(self._text, values))
            case (
                ast.FormattedValue(value=inner) | ast.Call(func=ast.Name(id="Fault"), args=[inner])
            ):
                text = self._text(inner)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                text = self._text(left) + self._text(right)
            case ast.IfExp(body=body, orelse=other) if _is_text(body) and _is_text(other):
                text = f"⟦{self._text(body)} | {self._text(other)}⟧"
            case ast.Name(id=name):
                known = self.local.get(name) or self.constants.get(name)
                text = self._text(known) if known and _tells(known) else text
        return text

    def _row(self, node: ast.expr) -> str:
        """Return a text of a table, whose values `format` fills in."""
        return _BRACED.sub(r"⟨\1⟩", self._text(node))

    def _hint(self, call: ast.Call) -> str:
        """Return what an error says to do beside its text."""
        given = next((keyword.value for keyword in call.keywords if keyword.arg == "hint"), None)
        if isinstance(given, ast.Name) and given.id in self.local:
            given = self.local[given.id]
        if isinstance(given, ast.Call) and last(given.func) == "hint":
            return self._row(self._by_cause(given.args[0]))
        return "" if given is None else self._text(given)

    def _by_cause(self, cause: ast.expr) -> ast.expr:
        """Return the general hint of a cause, which one table has."""
        table = self.constants["HINTS"]
        if isinstance(table, ast.Dict) and isinstance(cause, ast.Constant):
            for key, value in zip(table.keys, table.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == cause.value:
                    return value
        return ast.Name(id="what fits the cause")


def _assigned_once(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, ast.expr]:
    """Return the values of the names that a function assigns in one place only."""
    found: dict[str, list[ast.expr]] = {}
    assignments = [node for node in ast.walk(function) if isinstance(node, ast.Assign)]
    for node in assignments:
        for target in node.targets:
            values = node.value
            if isinstance(target, ast.Tuple) and isinstance(values, ast.Tuple):
                pairs = list(zip(target.elts, values.elts, strict=True))
            else:
                pairs = [(target, values)]
            for name, value in pairs:
                if isinstance(name, ast.Name):
                    found.setdefault(name.id, []).append(value)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def _spread(argument: ast.expr) -> Iterable[ast.expr]:
    """Return the arguments that `*(a, b)` stands for."""
    match argument:
        case ast.Starred(value=ast.Tuple(elts=each)):
            return each
    return (argument,)


def _tells(node: ast.expr) -> bool:
    return _is_text(node) or (
        isinstance(node, ast.IfExp) and _is_text(node.body) and _is_text(node.orelse)
    )


def _is_text(node: ast.expr) -> bool:
    is_plain = isinstance(node, ast.Constant) and isinstance(node.value, str | int)
    return is_plain or isinstance(node, ast.JoinedStr)


def _is_logger(func: ast.expr) -> bool:
    receiver = last(func.value) if isinstance(func, ast.Attribute) else ""
    return re.fullmatch(r"_?log(ger)?", receiver, re.IGNORECASE) is not None


def last(node: ast.AST) -> str:
    """Return the last part of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


#: Functions whose result is named by what they are given.
_SHOWING = {"describe", "describe_wait", "dotted", "dumps", "len", "listed", "sorted", "str", "sum"}


def _label(node: ast.AST) -> str:
    """Name a value that is filled in by what it is called, or by what makes it."""
    label = "…"
    match node:
        case ast.Name() | ast.Attribute():
            label = last(node).strip("_").lower()
        case ast.Call(func=ast.Attribute(value=ast.Constant()), args=[inner]):
            label = _label(inner)
        case ast.Call(func=func):
            label = _label(func)
            if label in _SHOWING and node.args:
                label = _label(node.args[0])
        case (
            ast.Subscript(value=inner)
            | ast.BinOp(left=inner)
            | ast.Starred(value=inner)
            | ast.GeneratorExp(elt=inner)
            | ast.IfExp(body=inner)
            | ast.BoolOp(values=[inner, *_])
            | ast.Tuple(elts=[inner, *_])
            | ast.FormattedValue(value=inner)
        ):
            label = _label(inner)
        case ast.JoinedStr(values=values):
            label = next(
                (_label(each) for each in values if isinstance(each, ast.FormattedValue)), label
            )
    return label
