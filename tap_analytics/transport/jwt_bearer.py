"""OAuth 2 by an assertion that a private key signs (RFC 7523), as service accounts have it.

Needs the packages of the extra `jwt`.
"""

from __future__ import annotations

import functools
import secrets
import time
import typing as t
from dataclasses import dataclass, field
from importlib.util import find_spec
from urllib.parse import urlencode

from typing_extensions import override

from tap_analytics.transport.request import FORM_TYPE, Request
from tap_analytics.transport.tokens import IssuedToken

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Algorithm = t.Literal["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: Seconds for which an assertion is valid, which is the most that is usual.
_LIFETIME = 3600


@dataclass(eq=False, kw_only=True)
class OAuthJwt(IssuedToken):
    """A token that the assertion of a client is exchanged for."""

    hint: t.ClassVar[str] = (
        "Check `auth_endpoint`, `client_id`, `private_key`, `scopes`, `subject` and `audience`."
    )

    auth_endpoint: str
    client_id: str
    #: As `load_key` returns it.
    key: object = field(repr=False)
    algorithm: Algorithm = "RS256"
    scopes: tuple[str, ...] = ()
    #: Whom the assertion is for and to; by default, the client and the endpoint.
    subject: str | None = None
    audience: str | None = None
    #: Name of the key in the header of the assertion.
    key_id: str | None = None
    wall_clock: Callable[[], float] = field(default=time.time, repr=False)

    @property
    @override
    def account(self) -> str | None:
        return self.subject or self.client_id

    @override
    def issue(self) -> tuple[object, object]:
        claims = {
            "iss": self.client_id,
            "sub": self.subject or self.client_id,
            "aud": self.audience or self.auth_endpoint,
            "iat": int(self.wall_clock()),
            "exp": int(self.wall_clock()) + _LIFETIME,
            "jti": secrets.token_hex(16),
            **({"scope": " ".join(self.scopes)} if self.scopes else {}),
        }
        assertion = sign(claims, self.key, self.algorithm, key_id=self.key_id)
        self._register(assertion)
        fields = {"grant_type": _GRANT, "assertion": assertion}
        request = Request(
            method="POST",
            url=self.auth_endpoint,
            headers=(("Content-Type", FORM_TYPE),),
            body=urlencode(fields).encode(),
        )
        answer = self.ask_json(request)
        return answer.get("access_token"), answer.get("expires_in")


def is_installed() -> bool:
    """Whether the packages of the extra `jwt` are installed."""
    return all(find_spec(package) for package in ("jwt", "cryptography"))


@functools.cache
def sample_key() -> str:
    """Return a new private key in PEM, to check a configuration by, if the packages are there."""
    if not is_installed():
        return "filled"
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - an extra

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    return made.private_bytes(serialization.Encoding.PEM, form, plain).decode()


def load_key(pem: str, passphrase: str | None) -> object:
    """Return a private key in PEM; raises ValueError or TypeError for one that can't be read."""
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - an extra
        load_pem_private_key,
    )

    password = passphrase.encode() if passphrase else None
    return load_pem_private_key(pem.encode(), password)


def sign(
    claims: Mapping[str, t.Any], key: object, algorithm: Algorithm, *, key_id: str | None = None
) -> str:
    """Return a signed JSON Web Token; raises TypeError for a key of another kind."""
    import jwt  # noqa: PLC0415 - an extra

    headers = None if key_id is None else {"kid": key_id}
    try:
        signed: str = jwt.encode(
            dict(claims), t.cast("t.Any", key), algorithm=algorithm, headers=headers
        )
    except (jwt.exceptions.PyJWTError, AttributeError):
        raise TypeError("the key is of another kind") from None
    return signed
