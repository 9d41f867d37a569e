"""Write batches in a thread of its own, in order, over one connection."""

from __future__ import annotations

import queue
import threading
import typing as t

import psycopg

if t.TYPE_CHECKING:
    from collections.abc import Callable

    Job = Callable[[psycopg.Connection], None]

#: Another run on the same rows may lock them in another order; the server then stops one of both.
_ATTEMPTS = 5


class Writer:
    """A queue of jobs that each leave a committed transaction behind.

    The first error ends it: jobs behind it are dropped, and whoever submits or waits is told.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection]) -> None:
        self._connect = connect
        self._connection: psycopg.Connection | None = None
        # One batch is written, one waits, and one is being read: that bounds the memory.
        self._queue: queue.Queue[Job] = queue.Queue(maxsize=1)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def submit(self, job: Job) -> None:
        """Hand over a job; wait while two are before it."""
        self.check()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
            self._thread.start()
        self._queue.put(job)

    def join(self) -> None:
        """Wait until everything is committed."""
        self._queue.join()
        self.check()

    def check(self) -> None:
        """Raise the error that ended the writer."""
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while True:
            job = self._queue.get()
            try:
                if self._error is None:
                    self._do(job)
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                self._error = error
            finally:
                # The rows of a job must not stay in memory until the next one comes.
                del job
                self._queue.task_done()

    def _do(self, job: Job) -> None:
        if self._connection is None:
            self._connection = self._connect()
        for _ in range(_ATTEMPTS - 1):
            try:
                return job(self._connection)
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                continue
        return job(self._connection)
