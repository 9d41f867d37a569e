"""Rows in PostgreSQL, loaded by the real target."""

from __future__ import annotations

import json
import signal

from support.patience import PATIENCE
from support.processes import inherited, pipe, template

LOADER = "target-postgres"


class Warehouse:
    """A schema of its own in PostgreSQL, loaded with the real target."""

    def __init__(self, project, postgres, folder, **settings):
        self.server = postgres
        self.folder = folder
        self.schema = f"s_{folder.name.replace('-', '_')}"
        self.target = template(
            python=project.python(LOADER), program=("target_postgres.target:TargetPostgres.cli",)
        )
        self.env = (
            project.env
            | postgres.env
            | {"TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": self.schema}
            | {f"TARGET_POSTGRES_{name}".upper(): value for name, value in settings.items()}
        )
        self.state = None

    def rows(self, stream):
        return self.server.query(f'SELECT * FROM "{self.schema}"."{stream}"')

    def ids(self, stream):
        return sorted(row["id"] for row in self.rows(stream))

    def load(self, config, catalog=None, *, interrupt=None):
        """Pipe the tap into the target, keep the last STATE, and return the tap's exit code.

        `interrupt` waits for the moment at which the tap gets a SIGTERM.
        """
        given = {"config": config, "catalog": catalog, "state": self.state}
        arguments = []
        for name, content in given.items():
            if content is not None:
                file = self.folder / f"{name}.json"
                file.write_text(json.dumps(content), "utf-8")
                arguments += [f"--{name}", str(file)]
        log, states, complaints = (self.folder / name for name in ("log", "states", "complaints"))
        folder = str(self.folder)
        reading, writing = pipe()
        with log.open("wb") as logged, reading, writing:
            tap = template().fork(
                arguments, folder=folder, env=inherited(), stdout=writing, stderr=logged
            )
            with states.open("wb") as out, complaints.open("wb") as err:
                target = self.target.fork(
                    ["--config=ENV"],
                    folder=folder,
                    env=self.env,
                    stdin=reading,
                    stdout=out,
                    stderr=err,
                )
        if interrupt is not None:
            interrupt()
            tap.send_signal(signal.SIGTERM)
        assert target.wait(PATIENCE) == 0, complaints.read_text("utf-8")
        code = tap.wait(PATIENCE)
        if acknowledged := states.read_bytes().splitlines():
            self.state = json.loads(acknowledged[-1])
        self.said = log.read_text("utf-8")
        return code
