"""Every message of the tap says what happened, where, and what to do; one page has them all.

The messages are collected from the code, so a new one is held to the same rules by itself.
"""

from __future__ import annotations

import ast
import re
import textwrap

import pytest
from handbook.messages import PACKAGE, collect, error_classes, says_what_to_do

#: Messages that leave the next step to another, with the one that has it.
COMPLETED = {
    ("payload.py", "SelectorError"): "`Pages` puts the stream's `selector_hint` behind it",
    ("streams/experimentation.py", "SelectorError"): "`Pages` puts `selector_hint` behind it",
    ("inputs.py", ""): "a part of a message that ends with the command to run",
}
#: What is raised and never told: it is caught on the way, or ends the process by its code.
INSIDE = {
    "BudgetSpent": "ends a part of the doctor's questions",
    "BodyError": "becomes part of the error of an answer that is not JSON",
    "ConfigValidationError": "carries the problems of a configuration, each a message of its own",
    "DeadlinePassed": "becomes the error of an answer that did not come in time",
    "FileExistsError": "told by the command that would overwrite the file",
    "Interrupted": "ends a thread after a signal",
    "NameResolutionError": "becomes the error of a host without an address",
    "NewConnectionError": "becomes the error of a host where nobody answers",
    "OSError": "becomes the error of a host where nobody answers",
    "RecursionError": "becomes the error of a description that is nested too deeply",
    "RuntimeError": "a fault of this program",
    "SyncFailedError": "ends the process; its causes have been told",
    "SyntaxError": "says that a text is no Python; the import goes on to other notations",
    "SystemExit": "ends the process",
    "UntakenError": "becomes a note of the import: why a stream is left out",
    "ValueError": "caught by whoever reads the value",
}
MESSAGES = collect()
#: What ends a run or keeps it from beginning. The doctor prints the settings to change by itself.
TOLD = [message for message in MESSAGES if message.kind not in {"warning", "finding"}]
CODE = re.compile(r"``.*?``|`[^`]*`|'[^']*'|\"[^\"]*\"|⟨[^⟩]*⟩|\{.*\}|https?://\S+")


def told(messages):
    """Name messages by the place where they stand."""
    return [f"{m.module}:{m.line}: {m.text} {m.hint}" for m in messages]


def leaves_the_next_step(message):
    return (message.module, message.name) in COMPLETED


# --- the three questions --------------------------------------------------------------------


def test_a_message_says_what_to_do():
    """A sentence begins with a verb, or there is a `hint`, what must be, or the choices."""
    silent = [m for m in TOLD if not m.says_what_to_do and not leaves_the_next_step(m)]

    assert told(silent) == []


def test_no_message_is_excused_that_need_not_be():
    silent = {(m.module, m.name) for m in TOLD if not m.says_what_to_do}

    assert silent == COMPLETED.keys()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("shop: GET /items answered 500 Internal Server Error", False),
        ("the check failed and the run was stopped", False),
        ("`page_size` is odd.", False),
        ("`page_size` is odd. Lower it.", True),
        ("`page_size` must be even.", True),
        ("`pagesize` is unknown. Known: page_size.", True),
        ("`pagesize` is unknown. Did you mean `page_size`?", True),
        ("`page_size` is missing: write a number.", True),
    ],
)
def test_the_rule_tells_messages_apart(line, says):
    assert says_what_to_do(line) is says


def test_a_message_is_one_line_that_ends():
    whole = [m for m in MESSAGES if m.kind in {"error", "problem"}]

    assert told(m for m in MESSAGES if "\n" in m.text + m.hint) == []
    assert told(m for m in whole if not (m.hint or m.text).endswith((".", "?", "⟩", "⟧"))) == []


def test_names_of_settings_are_set_as_code():
    def bare(message):
        prose = CODE.sub("", f"{message.text} {message.hint}")
        return re.search(r"\b[a-z]+_[a-z_]+\b", prose)

    assert told(filter(bare, TOLD)) == []


def test_an_error_of_paging_that_does_not_advance_has_the_word_for_it():
    loops = [m for m in MESSAGES if m.name == "PaginationError" and "Proof" in _owner(m)]

    assert len(loops) == 4
    assert told(m for m in loops if "repeated" not in m.text) == []


def _owner(message):
    """Return the classes whose body holds a message."""
    tree = ast.parse((PACKAGE / message.module).read_text("utf-8"))
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.lineno <= message.line <= node.end_lineno
    ]


def test_no_message_looks_like_any_other_text():
    text = "It works: nothing to see here. `fine` 'fine' {fine}: (fine), fine; fine."

    assert told(message for message in TOLD if message.pattern.search(text)) == []


# --- what is collected ----------------------------------------------------------------------


def raised(path):
    """Yield the names of what a module raises, but for what it raises again."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name | ast.Call):
            thrown = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = ast.unparse(thrown).split(".")[-1]
            if name[:1].isupper():
                yield name


def test_whatever_is_raised_is_a_message_or_stays_inside():
    paths = [p for p in PACKAGE.rglob("*.py") if "demo" not in p.relative_to(PACKAGE).parts]
    names = {name for path in paths for name in raised(path)}

    assert names - error_classes().keys() - INSIDE.keys() == set()


SAMPLE = """
    from argparse import ArgumentTypeError
    from tap_analytics.errors import Fault, TapError, joined

    LIMIT = 3
    HINTS = {"server": "Wait for {name}."}


    class OddError(TapError):
        '''Something odd.

        And more of it.
        '''


    class OdderError(OddError):
        '''Something odder.'''


    def fail(self, name, known, error):
        what = f"{name} is odd"
        if name:
            raise OdderError(what + ".", hint="Look.")
        if known:
            raise OddError(f"{what}, {LIMIT} times: {', '.join(known)}")
        self._logger.warning("%s of %d rows, 5%% odd", name, len(known))
        self.tap.logger.error("%s", error)
        self.logger.info("Nothing of note")
        place.report(f"{place.name(name)} is off. Remove it.")
        words.wrong("name", "is empty.")
        words.wrong("name", error)
        parser.error("needs a name.")
        made.error("too many names.")
        raise OddError(str(error))
        raise ArgumentTypeError("write a number")
        raise ValueError("not for users")
        return joined(str(error), "Ask somebody.")
        return Fault("has no name.")
        _Failure((OSError,), "failed in {timeout:g} s", "server")
"""


def test_the_collector_finds_every_kind_of_message(tmp_path):
    (tmp_path / "sample.py").write_text(textwrap.dedent(SAMPLE), "utf-8")
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "other.py").write_text("raise TapError('of the demo')", "utf-8")

    found = [(m.kind, m.name, m.text, m.hint, m.when) for m in collect(tmp_path)]

    assert found == [
        ("error", "OdderError", "⟨name⟩ is odd.", "Look.", "Something odder."),
        ("error", "OddError", "⟨name⟩ is odd, 3 times: ⟨known⟩", "", "Something odd."),
        ("warning", "", "⟨name⟩ of ⟨known⟩ rows, 5% odd", "", ""),
        ("problem", "", "⟨name⟩ is off. Remove it.", "", ""),
        ("problem", "", "`name` is empty.", "", ""),
        ("problem", "", "needs a name.", "", ""),
        ("problem", "", "too many names.", "", ""),
        ("error", "ArgumentTypeError", "write a number", "", ""),
        ("error", "joined", "⟨error⟩", "Ask somebody.", "added to what another library says"),
        ("part", "", "has no name.", "", ""),
        ("error", "_Failure", "⟨where⟩ failed in ⟨timeout⟩ s", "Wait for ⟨name⟩.", ""),
    ]


def test_the_catalogue_has_the_messages_people_know():
    texts = [message.text for message in MESSAGES]

    for words in (
        "is missing: write",
        "Did you mean",
        "is not a Singer catalog",
        "the server repeated a page",
        "answered ⟨status⟩⟨phrase⟩⟨quoted⟩",
        "neither catalog nor schema knows",
        "rows are missing",
    ):
        assert [text for text in texts if words in text], words
