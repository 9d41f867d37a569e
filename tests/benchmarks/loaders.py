"""Everybody who loads: how each is configured and started for the same messages."""

from __future__ import annotations

import json
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from contenders import Task, tap_config
from environments import HERE, python

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from walkthrough.postgres import Database


@dataclass(frozen=True, kw_only=True)
class Load:
    """A process that loads messages: its command, and the table in its schema."""

    command: Callable[[Database, str, Path], Sequence[str]]
    table: str = "rows"
    rounds: int = 1
    #: Loads the changed rows into the same table afterwards, under this name.
    again: str = ""


def everybody() -> dict[str, Load]:
    """Return everybody who loads records; what takes a minute has one turn."""
    return {
        "bare loop": Load(command=bare, rounds=3),
        "target-postgres-copy": Load(
            command=singer("postgres-copy", "target-postgres-copy"),
            table="bench_offset",
            rounds=3,
            again="target-postgres-copy, every row changed",
        ),
        "dlt, append": Load(command=dlt("append")),
        "dlt, merge": Load(command=dlt("merge")),
        "target-postgres": Load(
            command=singer("postgres", "target-postgres", validate_records=False),
            table="bench_offset",
        ),
    }


def targets(stream: str) -> dict[str, Load]:
    """Return both targets, and the floor."""
    own = singer("postgres-copy", "target-postgres-copy")
    theirs = singer("postgres", "target-postgres", validate_records=False)
    return {
        "bare loop": Load(command=bare, rounds=3),
        "target-postgres-copy": Load(command=own, table=stream, rounds=3),
        "target-postgres": Load(command=theirs, table=stream),
    }


def meltano_and_floor(url: str) -> dict[str, Load]:
    """Return a whole pipeline from an API with `meltano run`, and the floor of its load."""
    return {
        "bare loop": Load(command=bare, rounds=2),
        "meltano run": Load(command=meltano(url), table="bench_offset", rounds=2),
    }


def _url(database: Database) -> str:
    return f"postgresql://{database.user}@{database.host}:{database.port}/{database.name}"


def bare(database: Database, schema: str, folder: Path) -> list[str]:
    return [python("bare-postgres"), str(HERE / "load_bare.py"), _url(database), schema]


def dlt(disposition: str) -> Callable[[Database, str, Path], list[str]]:
    def command(database: Database, schema: str, folder: Path) -> list[str]:
        script = str(HERE / "load_dlt.py")
        # dlt insists on a password, which this server doesn't ask for.
        url = _url(database).replace("@", ":none@")
        return [python("dlt-postgres"), script, url, schema, disposition, str(folder)]

    return command


def target_settings(database: Database, schema: str) -> dict[str, t.Any]:
    """Return the settings of target-postgres for a schema."""
    return {
        "host": database.host,
        "port": database.port,
        "user": database.user,
        "password": database.password or "none",
        "database": database.name,
        "default_target_schema": schema,
    }


def singer(
    environment: str, program: str, **settings: object
) -> Callable[[Database, str, Path], list[str]]:
    def command(database: Database, schema: str, folder: Path) -> list[str]:
        config = folder / f"{program}.json"
        config.write_text(json.dumps({**target_settings(database, schema), **settings}), "utf-8")
        return [python(environment, program), "--config", str(config)]

    return command


def meltano(url: str) -> Callable[[Database, str, Path], list[str]]:
    def command(database: Database, schema: str, folder: Path) -> list[str]:
        reading = tap_config(Task(url=url, size=1000), concurrency=8)
        writing = target_settings(database, schema)
        tap = _plugin("tap-analytics", _beside_python("tap-analytics"), reading)
        tap["capabilities"] = ["catalog", "discover", "state"]
        program = python("postgres-copy", "target-postgres-copy")
        target = _plugin("target-postgres-copy", program, writing)
        project = {
            "default_environment": "bench",
            "environments": [{"name": "bench"}],
            "send_anonymous_usage_stats": False,
            "cli": {"disable_version_check": True},
            "plugins": {"extractors": [tap], "loaders": [target]},
        }
        (folder / "meltano.yml").write_text(json.dumps(project), "utf-8")
        run = ["run", "tap-analytics", "target-postgres-copy"]
        return [_beside_python("meltano"), "--cwd", str(folder), *run]

    return command


def _plugin(name: str, executable: str, config: Mapping[str, t.Any]) -> dict[str, t.Any]:
    kinds = {list: "array", int: "integer", str: "string"}
    settings = [{"name": key, "kind": kinds[type(value)]} for key, value in config.items()]
    return {
        "name": name,
        "namespace": name.replace("-", "_"),
        "executable": executable,
        "settings": settings,
        "config": config,
    }


def _beside_python(program: str) -> str:
    return str(Path(sys.executable).with_name(program))
