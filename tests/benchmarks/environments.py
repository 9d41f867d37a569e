"""A virtual environment for each program that is measured, made once and kept in the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
LOADER = HERE.parents[1] / "loaders" / "target-postgres-copy"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tap-analytics-bench"

#: What each is made of.
PACKAGES = {
    "bare": ("urllib3==2.8.0", "orjson==3.13.0"),
    "stock": ("singer-sdk==0.54.9",),
    # It imports `pkg_resources`, which later versions of setuptools no longer carry.
    "msdk": ("tap-rest-api-msdk==1.4.2", "setuptools<80"),
    "airbyte": ("airbyte-cdk==7.39.1",),
    "dlt": ("dlt==1.31.0",),
    "postgres": ("meltanolabs-target-postgres==0.8.1",),
    "postgres-copy": ("--editable", str(LOADER)),
    "bare-postgres": ("orjson==3.13.0", "psycopg[binary]==3.3.6"),
    "dlt-postgres": ("dlt[postgres]==1.31.0", "orjson==3.13.0"),
}


def python(name: str, program: str = "python") -> str:
    """Return the path of a program in an environment."""
    return str(CACHE / "environments" / name / "bin" / program)


def prepare(*names: str) -> None:
    """Make the environments that are missing or out of date: those named, or all."""
    for name in names or PACKAGES:
        packages = PACKAGES[name]
        stamp = CACHE / "environments" / name / "packages"
        wanted = "\n".join(packages)
        if not (stamp.exists() and stamp.read_text("utf-8") == wanted):
            sys.stderr.write(f"Installing {', '.join(packages)}\n")
            _install(name, packages)
            stamp.write_text(wanted, "utf-8")


def _install(name: str, packages: tuple[str, ...]) -> None:
    """Install into a new environment, with bytecode, by uv where there is one."""
    folder = CACHE / "environments" / name
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    venv.EnvBuilder(clear=True, symlinks=True, with_pip=uv is None).create(folder)
    installer = (
        [uv, "pip", "install", "--compile-bytecode", "--python", python(name)]
        if uv
        else [python(name), "-m", "pip", "install", "--quiet"]
    )
    subprocess.run([*installer, "--quiet", *packages], check=True)
