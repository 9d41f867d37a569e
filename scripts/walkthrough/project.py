"""The Meltano project of this repository, run with separate state, plugins and settings.

They are in `.demo/`: the settings as an `.env` file, the environments of the plugins, which the
next demo uses again, and the log of Meltano and the plugins.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from walkthrough.screen import Step

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".demo"
#: Variables for other runs, which the demo must not read.
IGNORED = ("TAP_ANALYTICS_", "TARGET_", "MELTANO_", "PYTHONPATH")
#: The installer that worked in `scripts/setup`.
KEPT = ("MELTANO_VENV_BACKEND",)

#: A stream in the log of the tap: "learning_people: 121 rows, 2 pages, verified, 0.2 s".
REPORT = re.compile(r"\b(?P<stream>\w+): (?P<rows>[\d,]+) rows?\b")
#: Python's error for a folder that is read-only, or not permitted.
UNWRITABLE = re.compile(r"\[Errno (?:13|30)\] [^:]+: '(?P<path>[^']+)'")

#: Messages of Meltano before something that takes long, and how to show them.
PHASES = {"Running catalog discovery": "discovering streams"}


class StepError(Exception):
    """A step failed; the message is for the user."""


@dataclasses.dataclass(kw_only=True)
class Project:
    """Runs Meltano and reads its log."""

    loader: str
    #: Variables that are written to the `.env` file.
    settings: Mapping[str, str]
    #: Variables that are passed to the plugins only.
    secrets: Mapping[str, str]

    def __post_init__(self) -> None:
        self.log = FOLDER / f"{self.loader}.log"
        self._env_file = FOLDER / f"{self.loader}.env"
        folder = FOLDER.relative_to(ROOT)
        self._places = {
            "MELTANO_SYS_DIR_ROOT": f"{folder}/meltano",
            "MELTANO_DATABASE_URI": f"sqlite:///{folder}/meltano.db",
        }
        self.log.unlink(missing_ok=True)
        lines = (f"{name}={_quoted(value)}\n" for name, value in self.settings.items())
        self._env_file.write_text("".join(lines), encoding="utf-8")
        for state in FOLDER.glob("meltano.db*"):
            state.unlink()
        self._drop_outdated_plugins()

    @property
    def command(self) -> str:
        """The command as in any other project."""
        return f"meltano run tap-analytics {self.loader}"

    @property
    def by_hand(self) -> str:
        """The command that runs it again, in the folder of the repository."""
        own = " ".join(f"{name}={value}" for name, value in self._places.items())
        meltano = f".venv/bin/meltano --env-file={self._env_file.relative_to(ROOT)}"
        return f"{own} \\\n      {meltano} {self.command.removeprefix('meltano ')}"

    def install(self, step: Step) -> None:
        """Install the tap and the loader, unless they are installed."""
        for kind, name in (("extractor", "tap-analytics"), ("loader", self.loader)):
            if not (FOLDER / "meltano" / f"{kind}s" / name / "venv").exists():
                step.detail = f"installing {name}"
                list(self._lines("install", kind, name))
        step.detail = f"tap-analytics, {self.loader}"

    def run(self, step: Step) -> dict[str, int]:
        """Run the pipeline; return the number of rows of each stream."""
        rows: dict[str, int] = {}
        for line in self._lines("run", "--no-install", "tap-analytics", self.loader):
            step.detail = PHASES.get(str(line.get("event")), step.detail)
            if counted := REPORT.search(str(line.get("event"))):
                stream = counted["stream"]
                rows[stream] = int(counted["rows"].replace(",", ""))
                step.detail = f"{stream} {rows[stream]:,} · {sum(rows.values()):,} rows"
        step.detail = f"{sum(rows.values()):,} rows"
        return rows

    def _lines(self, *arguments: str) -> Iterator[Mapping[str, t.Any]]:
        meltano = [str(Path(sys.executable).with_name("meltano")), f"--env-file={self._env_file}"]
        process = subprocess.Popen(  # noqa: S603 - Meltano, with arguments that all come from here
            [*meltano, "--log-format=json", *arguments],
            cwd=ROOT,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        errors: list[str] = []
        with process, self.log.open("a", encoding="utf-8") as log:
            for text in process.stdout or ():
                log.write(text)
                line = _parsed(text)
                if line.get("level") in {"error", "critical"}:
                    errors.append(str(line.get("event", "")))
                yield line
        if process.returncode:
            # The first error is the cause; of a traceback, the last line says what it was.
            cause = errors[0].strip().splitlines()[-1] if errors else f"`{self.command}` failed"
            raise StepError(f"{plain(cause)}\nThe whole log: {self.log}")

    def _environment(self) -> dict[str, str]:
        names = [name for name in os.environ if name in KEPT or not name.startswith(IGNORED)]
        return {name: os.environ[name] for name in names} | {**self.secrets, **self._places}

    def _drop_outdated_plugins(self) -> None:
        """Remove plugins that were installed for another `pyproject.toml` or `meltano.yml`."""
        wanted = (ROOT / "pyproject.toml").read_bytes() + (ROOT / "meltano.yml").read_bytes()
        digest = hashlib.sha256(wanted).hexdigest()
        stamp = FOLDER / "meltano" / "made-for"
        if not stamp.exists() or stamp.read_text(encoding="ascii") != digest:
            shutil.rmtree(FOLDER / "meltano", ignore_errors=True)
            stamp.parent.mkdir(parents=True)
            stamp.write_text(digest, encoding="ascii")


def plain(cause: str) -> str:
    """Return a message of Meltano's; one about a folder that can't be written says what to set."""
    if found := UNWRITABLE.search(cause):
        return (
            f"Meltano keeps files of its own in {found['path']}, which can't be written. Set HOME "
            "to a folder that can be."
        )
    return cause


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Refuse a second demo in this folder: they would share files and state."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StepError(
                "Another demo is running in this folder. Wait for it, or stop it."
            ) from None
        yield


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _parsed(line: str) -> Mapping[str, t.Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {"event": line.strip()}
    return found if isinstance(found, dict) else {"event": line.strip()}
