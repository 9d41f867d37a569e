"""Reads the five documents: the Python dict each of them holds, and what its prose adds."""

from __future__ import annotations

import ast
import re

from support.paths import FIXTURES
from tap_analytics.demo import DEFAULT

FOLDER = FIXTURES / "specs"

#: Where the demo, in its spec dialect, serves the root that a document's paths are relative to.
ROOTS = {
    "learning": "/learning/v2",
    "experimentation": "/experimentation",
    "wiki": "/wiki-spec",
    "success": "/success",
    "declared": "/declared",
}
#: What each document asks of `dlt.secrets`.
SECRETS = {
    "learning": {"api_key": DEFAULT.learning_api_key},
    "experimentation": {"api_key": DEFAULT.experimentation_api_key},
    "wiki": {"email": DEFAULT.wiki_email, "api_token": DEFAULT.wiki_api_token},
    "success": {
        "secret_token": DEFAULT.success_secret_token,
        "basic_auth_header": DEFAULT.success_basic_auth_header,
    },
    "declared": {"api_key": DEFAULT.declared_api_key},
}


def text(document):
    return (FOLDER / f"{document}.md").read_text("utf-8")


class _Revealed(ast.NodeTransformer):
    """Puts the value of a secret in the place of `dlt.secrets["name"]`."""

    def __init__(self, secrets):
        self.secrets = secrets

    def visit_Subscript(self, node):
        assert ast.unparse(node.value) == "dlt.secrets"
        return ast.Constant(self.secrets[ast.literal_eval(node.slice)])


def configuration(document):
    """Return the dict in a document's Python code as it stands, its secrets filled in."""
    [code] = re.findall(r"```python\n(.*?)```", text(document), re.DOTALL)
    [call] = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return ast.literal_eval(_Revealed(SECRETS[document]).visit(call.args[0]))


def entry(document, *, name, base_url):
    """Return the dict as an entry of `apis`: name, base URL and secrets filled in, no more."""
    written = configuration(document)
    return {**written, "name": name, "client": {**written["client"], "base_url": base_url}}


def prose_key(document, resource):
    """Return the primary key that the prose gives a resource, if it does."""
    heading = resource.replace("_", " ")
    for section in re.split(r"^### ", text(document), flags=re.MULTILINE)[1:]:
        key = re.search(r"\*\*Primary Key\*\*: `(\w+)`", section)
        if key and section.lower().startswith(f"{heading}\n"):
            return key[1]
    return None


def prose_retries(document):
    """Return (statuses, retries, factor) of the section on errors, or None if it leaves it open."""
    section = re.split(r"^#+ Error Handling$", text(document), flags=re.MULTILINE)[1]
    retries = re.search(r"\*\*Max Retries\*\*: (\d+)", section)
    factor = re.search(r"\*\*Backoff Factor\*\*: (\d+)", section)
    if not retries or not factor:
        return None
    statuses = re.search(r"[Ss]tatus [Cc]odes\W+([\d, ]+)", section)[1]
    return {int(status) for status in statuses.split(",")}, int(retries[1]), int(factor[1])


def lifted(row):
    """Return a JSON:API row as the built-in streams deliver it."""
    columns = {name: value for name, value in row.items() if name != "attributes"}
    columns |= row["attributes"]
    if "course_id" in columns:
        columns.setdefault("person_id", row["relationships"]["person"]["data"]["id"])
    return columns
