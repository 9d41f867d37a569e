"""A process that has imported a program and forks runs of it, which start in milliseconds.

It is given the number of a socket, the program as `module:attribute`, and more modules to import.
It reads requests from the socket: JSON with the fields `arguments`, `folder`, `env` and `job`, and
the descriptors of a socket and of the three standard streams. That socket is told the run's id and
then its exit code. A `job` has standard error as its terminal, and is in its `front` or `behind`.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
import termios
import time
from importlib import import_module
from operator import attrgetter

LARGEST = 1 << 20


def serve(control):
    """Fork for each request until the other end is closed; return in the runs alone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # Programs that tests run in the background, or under nohup, are told to ignore these.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    while True:
        data, descriptors, *_ = socket.recv_fds(control, LARGEST, 4)
        if not data:
            sys.exit()
        status, *streams = descriptors
        if os.fork() == 0:
            control.close()
            supervise(json.loads(data), status, streams)
            return
        for descriptor in descriptors:
            os.close(descriptor)


def supervise(request, status, streams):
    """Fork the run, in which this returns, and tell how it ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    run = os.fork()
    if run == 0:
        os.close(status)
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["env"])
        time.tzset()
        sys.argv[1:] = request["arguments"]
        if request["job"]:
            control_terminal(behind=request["job"] == "behind")
        return
    for descriptor in streams:
        os.close(descriptor)
    os.write(status, b"%d\n" % run)
    code = os.waitstatus_to_exitcode(os.waitpid(run, 0)[1])
    os.write(status, b"%d\n" % code)
    os._exit(0)


def control_terminal(*, behind):
    """Take standard error as the terminal of a new session, and perhaps leave its foreground."""
    os.setsid()
    fcntl.ioctl(2, termios.TIOCSCTTY, 0)
    if behind:
        if job := os.fork():
            os._exit(os.waitstatus_to_exitcode(os.waitpid(job, 0)[1]))
        os.setpgid(0, 0)


if __name__ == "__main__":
    _, number, program, *modules = sys.argv
    place, _, path = program.partition(":")
    for module in (place, *modules):
        import_module(module)
    serve(socket.socket(fileno=int(number)))
    sys.exit(attrgetter(path)(sys.modules[place])())
