"""The Meltano project of this repository, run with a state, plugins and settings of the demo's own.

Everything lies in `.demo/`: the settings as an `.env` file to look at, the plugins' environments,
which the next run finds ready, and a log of all that Meltano and the plugins said.
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
#: What the shell says about plugins and Meltano is meant for real runs, not for this one.
FOREIGN = ("TAP_ANALYTICS_", "TARGET_", "MELTANO_", "PYTHONPATH")
#: The installer that `scripts/setup` found to work is Meltano's too.
KEPT = ("MELTANO_VENV_BACKEND",)

#: How the tap reports a stream: "learning_people: 121 rows, 2 pages, verified, 0.2 s".
REPORT = re.compile(r"\b(?P<stream>\w+): (?P<rows>[\d,]+) rows?\b")
#: How Python tells that a place can't be written: read-only, or not permitted.
UNWRITABLE = re.compile(r"\[Errno (?:13|30)\] [^:]+: '(?P<path>[^']+)'")

#: What Meltano says when it turns to something that takes a while.
PHASES = {"Running catalog discovery": "asking the tap for its streams"}


class StepError(Exception):
    """A step failed; the message is for the reader."""


@dataclasses.dataclass(kw_only=True)
class Project:
    """Runs Meltano and reads along."""

    loader: str
    #: Variables to write down, for the reader to look at and to use again.
    settings: Mapping[str, str]
    #: Variables that only the plugins get to see.
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
        """What a user types to run this, in a project of their own."""
        return f"meltano run tap-analytics {self.loader}"

    @property
    def by_hand(self) -> str:
        """What to type to run this once more, from the repository's folder."""
        own = " ".join(f"{name}={value}" for name, value in self._places.items())
        meltano = f".venv/bin/meltano --env-file={self._env_file.relative_to(ROOT)}"
        return f"{own} \\\n      {meltano} {self.command.removeprefix('meltano ')}"

    def install(self, step: Step) -> None:
        """Install the tap and the loader, unless an earlier run did."""
        for kind, name in (("extractor", "tap-analytics"), ("loader", self.loader)):
            if not (FOLDER / "meltano" / f"{kind}s" / name / "venv").exists():
                step.detail = f"installing {name}"
                list(self._lines("install", kind, name))
        step.detail = f"tap-analytics, {self.loader}"

    def run(self, step: Step) -> dict[str, int]:
        """Run the pipeline; return the number of rows that the tap read, by stream."""
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
            # What is said first is the cause; where it is a traceback, the last line names it.
            cause = errors[0].strip().splitlines()[-1] if errors else f"`{self.command}` failed"
            raise StepError(f"{plain(cause)}\nThe whole log: {self.log}")

    def _environment(self) -> dict[str, str]:
        names = [name for name in os.environ if name in KEPT or not name.startswith(FOREIGN)]
        return {name: os.environ[name] for name in names} | {**self.secrets, **self._places}

    def _drop_outdated_plugins(self) -> None:
        """Meltano can't see that a package installed from this folder needs other versions now."""
        wanted = (ROOT / "pyproject.toml").read_bytes() + (ROOT / "meltano.yml").read_bytes()
        digest = hashlib.sha256(wanted).hexdigest()
        stamp = FOLDER / "meltano" / "made-for"
        if not stamp.exists() or stamp.read_text(encoding="ascii") != digest:
            shutil.rmtree(FOLDER / "meltano", ignore_errors=True)
            stamp.parent.mkdir(parents=True)
            stamp.write_text(digest, encoding="ascii")


def environment(config: Mapping[str, t.Any], *, prefix: str = "TAP_ANALYTICS") -> dict[str, str]:
    """Spell a configuration as the variables that Meltano reads it from."""
    found: dict[str, str] = {}
    for name, value in config.items():
        variable = f"{prefix}_{name}".upper()
        if isinstance(value, dict):
            found |= environment(value, prefix=variable)
        else:
            found[variable] = value if isinstance(value, str) else json.dumps(value)
    return found


def plain(cause: str) -> str:
    """Return Meltano's line about an error, in words where it is one of the system's."""
    if found := UNWRITABLE.search(cause):
        return (
            f"Meltano keeps files of its own in {found['path']}, which can't be written. Set HOME "
            "to a folder that can be."
        )
    return cause


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Keep other demos out of the folder: they share its files and its state."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StepError("Another demo is running in this folder. Wait, or end it.") from None
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
