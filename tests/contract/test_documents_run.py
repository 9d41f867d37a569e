"""The Python dicts of the five documents, run as entries of `apis`.

Only name, base URL and secrets are filled in. The real services answer otherwise than the documents
say; the three whose paths fit must run there as well.
"""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from support import spec_documents as documents

from tap_analytics.demo.expected_rows import flat
from tap_analytics.demo.messages import encode

pytestmark = pytest.mark.xdist_group("documents")

#: Roots of the documents' paths at the real services.
REAL_ROOTS = {"learning": "/learning/v2", "success": "/resources", "declared": "/declared"}
RESOURCES = [
    (document, resource["name"])
    for document in documents.ROOTS
    for resource in documents.configuration(document)["resources"]
]
each_resource = pytest.mark.parametrize(("document", "resource"), RESOURCES)


def own_apis(demo, roots):
    return [
        documents.entry(document, name=f"own_{document}", base_url=demo.url + root)
        for document, root in roots.items()
    ]


def canonical(rows):
    """Return rows in an order and a spelling that two equal tables share."""
    return sorted(json.dumps(row, sort_keys=True, default=str) for row in rows)


# --- as described ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def described(demos, tap):
    return tap(config={"apis": own_apis(demos["spec"], documents.ROOTS)})


def test_documents_run_to_a_complete_end(described):
    assert described.code == 0, described.stderr


@each_resource
def test_described_rows_all_arrive(document, resource, described, demos):
    rows = flat(demos["spec"].dataset, f"{document}_{resource}")
    served = json.loads(encode(rows), parse_float=Decimal)

    assert canonical(described.records(f"own_{document}_{resource}")) == canonical(served)


@each_resource
def test_resource_becomes_a_stream_with_its_key(document, resource, described, demos):
    """The key is the default's where the rows have it, and never one that the rows lack."""
    stream = f"own_{document}_{resource}"
    [schema, *_] = described.by_stream("SCHEMA")[stream]
    sample = flat(demos["spec"].dataset, f"{document}_{resource}")[0]

    if "id" in sample:
        assert schema["key_properties"] == ["id"]
    else:
        assert "id" not in schema["key_properties"]


# --- as it really is ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(demos, tap):
    run = tap(config={"apis": own_apis(demos["real"], REAL_ROOTS)})
    assert run.code == 0, run.stderr
    return run


@pytest.mark.parametrize(
    ("document", "resource"), [(d, r) for d, r in RESOURCES if d in REAL_ROOTS]
)
def test_real_rows_all_arrive_as_they_were_sent(document, resource, real, demos):
    expected = demos["real"].rows(f"{document}_{resource}", parse_float=Decimal)
    if (document, resource) == ("success", "accounts"):
        # Without a `status` the service lists active accounts only.
        expected = [row for row in expected if not row["churnedAt"]]

    rows = real.records(f"own_{document}_{resource}")
    if document == "learning":
        rows = map(documents.lifted, rows)

    assert canonical(rows) == canonical(expected)
