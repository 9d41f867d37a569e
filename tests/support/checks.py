"""Checks of every run that fails: its lines, and that no secret is shown."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote, quote_plus

from support.runs import LEVEL
from tap_analytics.demo import DEFAULT

SECRETS = (
    DEFAULT.learning_api_key,
    DEFAULT.experimentation_api_key,
    DEFAULT.wiki_api_token,
    DEFAULT.success_secret_token,
    DEFAULT.success_basic_auth_header,
    DEFAULT.declared_api_key,
)
BASIC = (
    f"{DEFAULT.wiki_email}:{DEFAULT.wiki_api_token}",
    f"{DEFAULT.success_secret_token}:",
    f"{DEFAULT.success_secret_token}:{DEFAULT.success_basic_auth_header}",
)
#: All secrets, as a server might send them back.
ECHO = " ".join((*SECRETS, *(base64.b64encode(pair.encode()).decode() for pair in BASIC)))
COST = re.compile(r" \[not extracted: [^\]]*\]$")
_VERBS = """
    Add Ask Check Choose Copy Correct Declare Drop End Free Give Install Keep Leave Look Lower Make
    Move Name Open Pass Pick Put Raise Read Remove Rename Report Run Save See Select Set Start Stop
    Take Try Turn Use Wait Write
""".split()  # noqa: SIM905 - forty words read best as text
#: How a message names the next step: an imperative, what must be, or the choices.
TELLS = re.compile(
    rf"(?:^|[.:;!?] |, |\b(?:and|or) )(?:{'|'.join(_VERBS)})\b"
    r"|\bmust\b|\bDid you mean\b|\bKnown:",
    re.IGNORECASE,
)
#: A failed run prints at most this many error lines.
ERROR_LINES = 8


def forms(*more):
    """Return the spellings of secrets that no output may hold."""
    for text in (*SECRETS, *BASIC, *more):
        if not text.endswith(":"):
            yield from {text, quote(text, safe=""), quote(text), quote_plus(text)}
            yield json.dumps(text)[1:-1]
        yield base64.b64encode(text.encode()).decode().rstrip("=")


def assert_no_secret(done, *files, secrets=()):
    """Check that neither a run nor its files show a secret or a traceback; levels everywhere."""
    output = done.stdout.decode() + done.stderr
    shown = output + "".join(file.read_text("utf-8") for file in files)
    leaked = [line for line in shown.splitlines() if any(form in line for form in forms(*secrets))]
    assert leaked == [], leaked
    assert "Traceback" not in done.stderr, done.stderr
    bare = [line for line in done.said if not LEVEL.search(line)]
    assert bare == [], bare


def assert_errors(done, *causes, limit=ERROR_LINES):
    """Check that a run failed with one line per cause, each complete; a cause is some words."""
    assert done.code == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.errors) == len(causes) <= limit, "\n".join(done.errors)
    for cause in causes:
        words = (cause,) if isinstance(cause, str) else cause
        lines = [line for line in done.errors if all(word in line for word in words)]
        assert len(lines) == 1, (words, done.errors)
    for line in done.errors:
        text = COST.sub("", line)
        assert TELLS.search(text), text
