"""BATCH files, summaries and conclusions in object storage, with a local S3 server."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import subprocess
import sys

import pytest
from support.paths import ROOT
from support.patience import until
from support.processes import run
from support.runs import declared
from support.servers import JsonApi
from walkthrough.postgres import free_port

pytestmark = pytest.mark.outside


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """The variables of a server with the bucket `lake`, and of the packages that reach it."""
    folder = tmp_path_factory.mktemp("s3")
    uv = shutil.which("uv")
    pip = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
    packages = ["s3fs>=2024.9", "moto[server]>=5"]
    subprocess.run([*pip, "install", "-q", "--target", str(folder), *packages], check=True)
    port = free_port()
    env = {
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "hunter-4711",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, env={**os.environ, **env}, stderr=subprocess.DEVNULL) as server:
        try:
            until(lambda: _listens(port))
            _storage(env, "storage.mkdir('lake')")
            yield env
        finally:
            server.kill()


def _listens(port):
    with socket.socket() as peer:
        return peer.connect_ex(("127.0.0.1", port)) == 0


def _storage(env, code):
    """Run code with the storage, and return what it printed."""
    lines = f"import s3fs; storage = s3fs.S3FileSystem()\n{code}"
    command = [sys.executable, "-c", lines]
    return subprocess.run(
        command, env={**os.environ, **env}, check=True, capture_output=True
    ).stdout


def two_rows(query):
    return {"data": [{"id": 1}, {"id": 2}] if query.get("offset") == "0" else []}


def test_batch_files_are_written_to_a_bucket(s3):
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": "s3://lake/files", "prefix": "a-"},
    }
    with JsonApi(two_rows) as api:
        config = declared(api.origin, endpoint={"paginator": {"type": "offset", "limit": 2}})
        done = run(config | {"batch_config": batches}, env=s3)
    assert done.code == 0, done
    (batch,) = done.of("BATCH")
    (url,) = batch["manifest"]
    assert url.startswith("s3://lake/files/a-tap-analytics--shop_items-")
    content = _storage(s3, f"import sys; sys.stdout.buffer.write(storage.cat({url!r}))")
    rows = [json.loads(line) for line in gzip.decompress(content).splitlines()]
    assert [row["id"] for row in rows] == [1, 2]
    assert "hunter-4711" not in done.stderr


def test_shards_are_concluded_from_a_bucket(s3, tmp_path):
    with JsonApi(two_rows) as api:
        schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
        paginator = {"type": "offset", "limit": 2}
        config = declared(api.origin, endpoint={"paginator": paginator}, schema=schema)
        config["emit_activate_version_messages"] = True
        divided = run(config, command=("shards",), env=s3, *("--count", "1"))  # noqa: B026 - words of the command
        assert divided.code == 0, divided
        made = json.loads(divided.text)
        local = tmp_path / "shards.json"
        local.write_text(divided.text)
        _storage(s3, f"storage.put({str(local)!r}, 'lake/run/shards.json')")
        missing = run(config | {"conclude": "s3://lake/run"}, env=s3)
        (shard,) = made["shards"]
        own = {"shard": shard, "summary_path": "s3://lake/run/1.json"}
        read = run(config | own, env=s3)
        concluded = run(config | {"conclude": "s3://lake/run"}, env=s3)
    assert missing.code == 1
    assert "has no summary" in missing.errors[0]
    assert read.code == 0, read
    assert concluded.kinds == ["SCHEMA", "ACTIVATE_VERSION"]
