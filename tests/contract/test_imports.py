"""What is imported runs: documents, a configuration of dlt, manifests, each synced from the demo.

Between the import and the run a user fills in the address and the credentials, and so do the tests.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest
import yaml
from support import spec_documents as documents
from support.docs import blocks
from support.paths import FIXTURES

from tap_analytics.demo import DEFAULT
from tap_analytics.demo.expected_rows import flat
from tap_analytics.demo.messages import encode

pytestmark = pytest.mark.xdist_group("imports")

IMPORTS = FIXTURES / "imports"
#: Credentials by the end of the variable that stands for them.
VALUES = {
    "learning": {"API_KEY": DEFAULT.learning_api_key},
    "experimentation": {"API_KEY": DEFAULT.experimentation_api_key},
    "wiki": {"EMAIL": DEFAULT.wiki_email, "API_TOKEN": DEFAULT.wiki_api_token},
    "success": {
        "SECRET_TOKEN": DEFAULT.success_secret_token,
        "BASIC_AUTH_HEADER": DEFAULT.success_basic_auth_header,
        "PASSWORD": DEFAULT.success_basic_auth_header,
    },
    "declared": {"API_KEY": DEFAULT.declared_api_key},
}


def imported(tap, path, *options):
    """Import a file as a user does, with a clean end."""
    run = tap("import", str(path), "--json", *options)
    assert run.code == 0, run.text + run.stderr
    assert run.stderr == ""
    return json.loads(run.stdout)


def filled(config, values):
    """Put values where variables stand, longest names first."""
    text = json.dumps(config)
    for variable in sorted(set(re.findall(r"\$[A-Z_]+", text)), key=len, reverse=True):
        [value] = [values[name] for name in values if variable.endswith(f"_{name}")]
        text = text.replace(variable, json.dumps(value)[1:-1])
    return json.loads(text)


def canonical(rows):
    """Return rows in an order and a spelling that two equal tables share."""
    return sorted(json.dumps(row, sort_keys=True, default=str) for row in rows)


def served(demo, stream):
    return json.loads(encode(flat(demo.dataset, stream)), parse_float=Decimal)


# --- the documents --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def entries(demos, tap):
    """The five documents' entries, as they are imported."""
    url = demos["spec"].url
    return {
        document: imported(
            tap,
            documents.FOLDER / f"{document}.md",
            f"--name=own_{document}",
            f"--base-url={url}{root}",
        )
        for document, root in documents.ROOTS.items()
    }


@pytest.fixture(scope="module")
def described(entries, tap):
    apis = [filled(entry["apis"][0], VALUES[document]) for document, entry in entries.items()]
    run = tap(config={"apis": apis})
    assert run.code == 0, run.stderr
    return run


RESOURCES = [
    (document, resource["name"])
    for document in documents.ROOTS
    for resource in documents.configuration(document)["resources"]
]
each_resource = pytest.mark.parametrize(("document", "resource"), RESOURCES)


@each_resource
def test_rows_of_an_imported_document_all_arrive(document, resource, described, demos):
    expected = served(demos["spec"], f"{document}_{resource}")

    assert expected
    assert canonical(described.records(f"own_{document}_{resource}")) == canonical(expected)


# --- a configuration of dlt -----------------------------------------------------------------


def test_python_configuration_runs_as_imported(demos, tap):
    url = f"--base-url={demos['spec'].url}/success"
    found = imported(tap, IMPORTS / "support_source.py", url)
    [entry] = found["apis"]

    run = tap(config={"apis": [filled(entry, VALUES["success"])]})

    assert entry["name"] == "support"
    assert [set(each.get("endpoint", {})) for each in entry["resources"]][2] >= {"response_actions"}
    assert run.code == 0, run.stderr
    for stream in ("admins", "notes", "users"):
        rows = run.records(f"support_{stream}")
        assert canonical(rows) == canonical(served(demos["spec"], f"success_{stream}"))
    [schema, *_] = run.by_stream("SCHEMA")["support_notes"]
    assert schema["bookmark_properties"] == ["updatedAt"]


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_configuration_in_json_or_yaml_runs_as_imported(form, demos, tap, tmp_path):
    config = documents.configuration("declared")
    config["client"]["auth"]["api_key"] = "$SHOP_KEY"
    dump = {"json": json.dumps, "yaml": yaml.safe_dump}[form]
    path = tmp_path / f"shop.{form}"
    path.write_text(dump(config), "utf-8")

    [entry] = imported(tap, path, f"--base-url={demos['spec'].url}/declared")["apis"]
    run = tap(config={"apis": [filled(entry, {"KEY": DEFAULT.declared_api_key})]})

    assert run.code == 0, run.stderr
    expected = served(demos["spec"], "declared_resource_name")
    assert canonical(run.records("shop_resource_name")) == canonical(expected)


# --- manifests ------------------------------------------------------------------------------

#: Manifest, dialect, root of the API there, and whose credentials.
MANIFESTS = {
    "northpass-real": ("northpass", "real", "/learning/v2", "learning"),
    "vwo-spec": ("vwo", "spec", "/experimentation/v1", "experimentation"),
    "confluence-real": ("confluence", "real", "", "wiki"),
    "vitally-spec": ("vitally", "spec", "/success", "success"),
    "vitally-real": ("vitally", "real", "/resources", "success"),
}


def run_manifest(tap, demos, case):
    name, dialect, root, api = MANIFESTS[case]
    path = IMPORTS / f"{name}.yaml"
    found = imported(tap, path, f"--base-url={demos[dialect].url}{root}")
    values = dict(VALUES[api])
    if dialect == "real" and api == "success":
        values["BASIC_AUTH_HEADER"] = ""
    config = {"start_date": "2020-01-01"} if name == "vwo" else {}
    run = tap(config={"apis": [filled(found["apis"][0], values)], **config})
    assert run.code == 0, run.stderr
    return found, run


def held(demos, dialect, api, resource):
    """What the demo serves for a resource, not yet lifted or completed as built-in streams do."""
    demo = demos[dialect]
    if dialect == "spec":
        return served(demo, f"{api}_{resource}")
    if resource == "audit":
        rows = encode(demo.dataset.tables["wiki_audit"])
        return json.loads(rows, parse_float=Decimal)
    rows = demo.rows(f"{api}_{resource}", parse_float=Decimal)
    if resource in {"pages", "blog_posts"}:
        return [{n: v for n, v in row.items() if n != "updatedAt"} for row in rows]
    return rows


def without_parents(rows):
    return [{n: row[n] for n in row.keys() - {"course_id", "person_id"}} for row in rows]


@pytest.mark.parametrize("case", MANIFESTS)
def test_manifest_runs_as_imported(case, demos, tap):
    name, dialect, _, api = MANIFESTS[case]
    found, run = run_manifest(tap, demos, case)
    [entry] = found["apis"]

    for resource in entry["resources"]:
        rows = run.records(f"{name}_{resource['name']}")
        expected = held(demos, dialect, api, resource["name"])
        assert expected
        if resource["name"] == "courses":
            # The manifest keeps two of the attributes, as columns.
            kept = {"type", "id", "links", "relationships", "name", "updated_at"}
            expected = [{n: row[n] for n in kept & row.keys()} for row in expected]
        elif api == "learning":
            # Rows have no column of their parent, unless the API has it.
            rows, expected = map(without_parents, (map(documents.lifted, rows), expected))
        assert canonical(rows) == canonical(expected), resource["name"]


def test_manifest_notes_what_was_not_taken(tap):
    notes = imported(tap, IMPORTS / "vwo.yaml")["notes"]

    where = "definitions.streams.smartcode"
    assert [note for note in notes if note.startswith(where)] == [
        (
            f"{where}.transformations[0].fields: `uid` would have to be computed: left as rows "
            "have it."
        ),
        f"{where}.primary_key: `uid` is another in each run: rows are appended.",
    ]


# --- the page about it ------------------------------------------------------------------------


def test_page_shows_what_the_command_prints(tap, tmp_path):
    [document] = blocks("import.md", "markdown")
    shown, notes = blocks("import.md", "yaml")[-1], blocks("import.md", "text")[-1]
    path = tmp_path / "billing.md"
    path.write_text(document, "utf-8")

    run = tap("import", str(path), "--yaml")

    assert (run.code, run.text, run.stderr) == (0, shown, notes)
