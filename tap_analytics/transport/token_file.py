"""The file that keeps a refresh token which the server has replaced."""

from __future__ import annotations

import json
import os
import secrets
import sys
import typing as t
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256

with suppress(ImportError):  # on Windows
    import fcntl

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class TokenFile:
    """A file that only its owner can read; replaced as a whole, so that it is never half written.

    It belongs to one configured refresh token: with another one its content is void.
    """

    path: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let processes use the file one after the other, where the system can; raises OSError."""
        if sys.platform == "win32":
            yield
        else:
            # The folder is locked, because the file is replaced.
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                with suppress(OSError):  # some network file systems have no locks
                    fcntl.flock(folder, fcntl.LOCK_EX)
                yield
            finally:
                os.close(folder)

    def read(self, configured: str) -> str | None:
        """Return the token that replaced the configured one, if any.

        Raises OSError, and ValueError for a file with other content.
        """
        try:
            content = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            content = None
        if not isinstance(content, dict) or not isinstance(content.get("refresh_token"), str):
            raise ValueError("it holds something else")  # noqa: TRY004 - no type of an argument
        token: str = content["refresh_token"]
        return token if content.get("configured") == _digest(configured) else None

    def write(self, token: str, *, configured: str) -> None:
        """Replace the file; raises OSError."""
        content = {"refresh_token": token, "configured": _digest(configured)}
        beside = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()
