"""Runs Meltano for the DAGs: one pipeline in a folder of its own, and what a sync is divided into.

A run of Meltano keeps files in its system folder, so runs that share one read each other's state
and catalog. Each run here gets its own, with the plugins that are installed in the project.
"""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path
from tempfile import TemporaryDirectory

if t.TYPE_CHECKING:
    from collections.abc import Mapping

TAP = "tap-analytics"


class Pipeline:
    """A Meltano project, the loader to run, and the folder or URL that shards are kept in.

    `variables` are added to the environment: the configuration of a tenant, for one.
    """

    def __init__(
        self,
        *,
        project: str,
        loader: str,
        state_id: str,
        meltano: str = "meltano",
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.project = Path(project)
        self.loader = loader
        self.state_id = state_id
        self._meltano = meltano
        self._variables = dict(variables or {})

    def divide(self, *, count: int, folder: str) -> list[dict[str, t.Any]]:
        """Divide a sync, write `shards.json` into the folder, and return `prepare` and the shards.

        Raises `CalledProcessError`.
        """
        Path(folder).mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory() as own:
            state = Path(own, "state.json")
            state.write_text(json.dumps(self.state()), encoding="utf-8")
            options = ("--count", str(count), "--state", str(state))
            printed = self._run("invoke", f"{TAP}:shards", *options, capture=True)
        made = json.loads(printed[printed.index("{") :])
        Path(folder, "shards.json").write_text(json.dumps(made), encoding="utf-8")
        return [made["prepare"], *made["shards"]]

    def state(self) -> dict[str, t.Any]:
        """Return the state of the whole sync."""
        printed = self._run("state", "get", self.state_id, capture=True)
        found = json.loads(printed[printed.index("{") :]) if "{" in printed else {}
        return dict(found.get("singer_state", found))

    def read(self, shard: Mapping[str, t.Any], *, folder: str) -> None:
        """Read one shard; a second attempt resumes where the first was interrupted."""
        self._load(
            f"{self.state_id}:{shard['id']}",
            TAP_ANALYTICS_SHARD=json.dumps(shard),
            TAP_ANALYTICS_SUMMARY_PATH=f"{folder}/{shard['id']}.json",
        )

    def conclude(self, *, folder: str) -> None:
        """Conclude the shards, under the state of the whole sync."""
        self._load(self.state_id, TAP_ANALYTICS_CONCLUDE=folder)

    def sync(self) -> None:
        """Read everything in one process."""
        self._load(self.state_id)

    def _load(self, state_id: str, **variables: str) -> None:
        command = ("el", "--no-install", TAP, self.loader, "--state-id", state_id)
        self._run(*command, variables=variables)

    def _run(
        self, *command: str, variables: Mapping[str, str] | None = None, capture: bool = False
    ) -> str:
        """Run Meltano with a system folder of its own; return what it printed, if captured."""
        with TemporaryDirectory(prefix="meltano-") as own:
            for plugins in ("extractors", "loaders"):
                Path(own, plugins).symlink_to(self.project / ".meltano" / plugins)
            done = subprocess.run(  # noqa: S603 - the command of this project
                [self._meltano, *command],
                cwd=self.project,
                env={
                    **os.environ,
                    "MELTANO_DATABASE_URI": f"sqlite:///{self.project}/.meltano/meltano.db",
                    **self._variables,
                    **(variables or {}),
                    "MELTANO_SYS_DIR_ROOT": own,
                },
                check=True,
                text=True,
                stdout=subprocess.PIPE if capture else None,
            )
        return done.stdout or ""
