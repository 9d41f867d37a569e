"""The real command in a process of its own: its input, output and log."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from support.patience import PATIENCE, until
from support.runs import Run

COMMAND = Path(sys.executable).with_name("tap-analytics")
#: Whatever this shell is set up with must not reach the runs.
FOREIGN = ("TAP_ANALYTICS_", "SINGER_SDK_", "LOGLEVEL", "HTTP_PROXY", "HTTPS_PROXY", "NO_COLOR")
PIPE = subprocess.PIPE
#: The command, and what it imports when it is run.
TAP = (
    "tap_analytics.__main__:main",
    *(f"tap_analytics.commands.{name}" for name in ("singer", "doctor", "plan", "schema")),
    "tap_analytics.commands.importing.command",
)


#: A program that has a run of its own arguments forked, and ends as it does.
PROGRAM = """\
#!{python} -IS
import json, os, socket, sys
status, theirs = socket.socketpair()
given = {{"arguments": sys.argv[1:], "folder": os.getcwd(), "env": dict(os.environ), "job": None}}
control = socket.socket(fileno={control})
socket.send_fds(control, [json.dumps(given).encode()], [theirs.fileno(), 0, 1, 2])
theirs.close()
_, code = map(int, status.makefile())
os._exit(code if code >= 0 else 128 - code)
"""


class Started:
    """A run under way, its output being read as it comes."""

    def __init__(self, process, folder):
        self.process = process
        self._folder = folder
        self._out, self._err = bytearray(), bytearray()
        self._change = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((process.stdout, self._out), (process.stderr, self._err))
            if pair[0] is not None
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe, into):
        while data := os.read(pipe.fileno(), 65536):
            with self._change:
                into.extend(data)
                self._change.notify_all()

    def said(self, text):
        """Wait until stderr holds a text."""
        with self._change:
            assert self._change.wait_for(lambda: text.encode() in self._err, PATIENCE), (
                f"{text!r} never came: {self._err.decode()}"
            )

    def wrote(self, text):
        """Wait until stdout holds a text."""
        with self._change:
            assert self._change.wait_for(lambda: text.encode() in self._out, PATIENCE), (
                f"{text!r} never came: {self._err.decode()}"
            )

    def until(self, happened):
        """Wait until something has happened that the run does elsewhere."""

        def may_happen():
            assert self.process.poll() is None, self._err.decode()
            return happened()

        until(may_happen, self._err.decode)

    def signal(self, signum):
        """Send a signal."""
        self.process.send_signal(signum)

    def end(self):
        """Return the finished run."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            raise AssertionError(f"still running: {self._err.decode()}") from None
        for reader in self._readers:
            reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        self._folder.cleanup()
        return Run(code, bytes(self._out), self._err.decode())


class Template:
    """The process that runs of a program are forked from; it may be of another environment."""

    def __init__(self, *options, python=sys.executable, program=TAP, env=()):
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            script = Path(__file__).with_name("template.py")
            self._process = subprocess.Popen(
                [python, "-P", *options, script, str(number), *program],
                env=inherited() | dict(env),
                pass_fds=[number],
            )
        atexit.register(self._close)

    def _close(self):
        self._control.close()
        self._process.wait()

    def fork(self, arguments, *, folder, env, stdin=None, stdout=PIPE, stderr=PIPE, job=None):
        """Start a run; streams are files, their numbers, or pipes, and there may be no input.

        A job has standard error as its terminal, and is in its `front` or `behind`.
        """
        status, theirs = socket.socketpair()
        given = {"arguments": [*map(str, arguments)], "folder": folder, "env": env, "job": job}
        out, out_end = pipe() if stdout == PIPE else (None, stdout)
        err, err_end = pipe() if stderr == PIPE else (None, stderr)
        with theirs, open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a device
            streams = [theirs, stdin or nothing, out_end, err_end]
            numbers = [each if isinstance(each, int) else each.fileno() for each in streams]
            socket.send_fds(self._control, [json.dumps(given).encode()], numbers)
        for ours, end in ((out, out_end), (err, err_end)):
            if ours is not None:
                end.close()
        return Forked(status, out, err)

    def program(self, folder):
        """Write a program that is forked from here; return the descriptor that it must inherit."""
        file = folder / COMMAND.name
        control = self._control.fileno()
        file.write_text(PROGRAM.format(python=sys.executable, control=control), "utf-8")
        file.chmod(0o755)
        return control


class Forked:
    """A run that was forked; as far as tests use it, it is a `subprocess.Popen`."""

    def __init__(self, status, stdout, stderr):
        self._status = status.makefile("rb")
        self._socket = status
        self.stdout, self.stderr = stdout, stderr
        self.pid = int(self._status.readline())
        self.returncode = None

    def poll(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            if not select.select([self._socket], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("tap-analytics", timeout)
            self.returncode = int(self._status.readline())
            self._status.close()
            self._socket.close()
        return self.returncode

    def send_signal(self, signum):
        if self.poll() is None:
            os.kill(self.pid, signum)


def pipe():
    """Return both ends of a pipe as files."""
    reading, writing = os.pipe()
    return os.fdopen(reading, "rb", buffering=0), os.fdopen(writing, "wb", buffering=0)


def inherited():
    """Return the environment without what would reach the tap."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


template = functools.cache(Template)


def start(
    config=None,
    *options,
    command=(),
    state=None,
    catalog=None,
    env=None,
    stdout=subprocess.PIPE,
    program=None,
    python=(),
):
    """Start the command; objects become files between the words of `command` and `options`.

    Runs are forked from a process that has imported the tap with the options `python`, unless
    they are of a `program` of their own or given variables that Python itself reads.
    """
    folder = tempfile.TemporaryDirectory()
    arguments = [*command]
    for name, content in (("config", config), ("state", state), ("catalog", catalog)):
        if content is None:
            continue
        file = Path(folder.name, f"{name}.json")
        file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        arguments += [f"--{name}", str(file)]
    arguments += options
    own = any(name.startswith("PYTHON") for name in env or ())
    env = inherited() | (env or {})
    if program is None and not own:
        process = template(*python).fork(arguments, folder=folder.name, env=env, stdout=stdout)
        return Started(process, folder)
    process = subprocess.Popen(
        [*(program or [COMMAND]), *arguments],
        env=env,
        cwd=folder.name,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )
    return Started(process, folder)


def run(*arguments, **settings):
    """Run the command to its end; arguments as for `start`."""
    return start(*arguments, **settings).end()


def only(config, *apis, **settings):
    """Return a configuration with some of its APIs, and further settings."""
    return {name: config[name] for name in apis} | settings


def hurried(config, *, max_retries=3):
    """Return a configuration whose retries hardly wait."""
    quick = {"retry": {"backoff_factor": 0.01, "max_retries": max_retries}}
    blocks = {name: block | quick for name, block in config.items() if isinstance(block, dict)}
    return config | blocks | {"apis": [entry | quick for entry in config.get("apis", ())]}


def discover(config):
    """Return the catalog of a configuration."""
    found = run(config, "--discover")
    assert found.code == 0, found.stderr
    return json.loads(found.stdout)
