"""Rows in PostgreSQL, put there by the real target: what a user of the tap has in the end."""

from __future__ import annotations

import json
import signal
import subprocess

from support.processes import COMMAND

LOADER = "target-postgres"
#: A run that takes longer hangs.
PATIENCE = 60


class Warehouse:
    """A schema of its own in PostgreSQL, loaded with the real target."""

    def __init__(self, project, postgres, folder, **settings):
        self.server = postgres
        self.folder = folder
        self.schema = f"s_{folder.name.replace('-', '_')}"
        self.target = project.python(LOADER).with_name(LOADER)
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
        log = self.folder / "tap.log"
        with log.open("wb") as said:
            tap = subprocess.Popen([COMMAND, *arguments], stdout=subprocess.PIPE, stderr=said)
            target = subprocess.Popen(
                [self.target, "--config=ENV"],
                stdin=tap.stdout,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self.env,
            )
            tap.stdout.close()
            if interrupt is not None:
                interrupt()
                tap.send_signal(signal.SIGTERM)
            acknowledged, complaints = target.communicate(timeout=PATIENCE)
            code = tap.wait(PATIENCE)
        assert target.returncode == 0, complaints.decode()
        if states := acknowledged.splitlines():
            self.state = json.loads(states[-1])
        self.said = log.read_text("utf-8")
        return code
