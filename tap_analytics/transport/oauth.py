"""OAuth 2: grants that are exchanged for an access token at a token URL."""

from __future__ import annotations

import base64
import logging
import typing as t
from abc import abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlencode

from typing_extensions import override

from tap_analytics.transport.errors import Rejected
from tap_analytics.transport.request import FORM_TYPE, Request
from tap_analytics.transport.tokens import IssuedToken, value_at

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.transport.token_file import TokenFile

_FORM = ("Content-Type", FORM_TYPE)


@dataclass(eq=False, kw_only=True)
class OAuth2(IssuedToken):
    """Base of the grants; `grant` returns the form fields that are the grant."""

    token_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    #: Whether the client's name and secret are sent as Basic credentials or in the form.
    client_authentication: t.Literal["body", "header"] = "body"
    scopes: tuple[str, ...] = ()
    #: Members that lead to the token in the response.
    access_token_path: tuple[str, ...] = ("access_token",)
    #: Form fields to add or replace; several texts are sent as a field each.
    form: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict, repr=False)

    @abstractmethod
    def grant(self) -> dict[str, str]:
        """Return the form fields of the grant."""

    @property
    @override
    def account(self) -> str | None:
        return self.client_id

    @property
    @override
    def lacking(self) -> str:
        return f"{self.what} answered without an `{'.'.join(self.access_token_path)}`"

    @override
    def issue(self) -> tuple[object, object]:
        answer = self.exchange(self.grant())
        return value_at(answer, self.access_token_path), answer.get("expires_in")

    def exchange(self, grant: Mapping[str, str]) -> Mapping[str, t.Any]:
        """Return the response of the token URL to a grant."""
        in_body = self.client_authentication == "body"
        client = {"client_id": self.client_id, "client_secret": self.client_secret}
        fields = {
            **grant,
            **({name: value for name, value in client.items() if value} if in_body else {}),
            **({"scope": " ".join(self.scopes)} if self.scopes else {}),
            **self.form,
        }
        headers = (_FORM,) if in_body else (_FORM, ("Authorization", self._basic()))
        body = urlencode(fields, doseq=True).encode()
        return self.ask_json(Request(method="POST", url=self.token_url, headers=headers, body=body))

    def _basic(self) -> str:
        # Encoded before they are joined (RFC 6749, section 2.3.1).
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
        token = base64.b64encode(pair.encode()).decode()
        self._register(token)
        return f"Basic {token}"


@dataclass(eq=False, kw_only=True)
class OAuth2ClientCredentials(OAuth2):
    """Client credentials grant (RFC 6749, section 4.4)."""

    hint: t.ClassVar[str] = "Check `access_token_url`, `client_id`, `client_secret` and `scopes`."

    @override
    def grant(self) -> dict[str, str]:
        return {"grant_type": "client_credentials"}


@dataclass(eq=False, kw_only=True)
class OAuth2RefreshToken(OAuth2):
    """Refresh token grant (RFC 6749, section 6).

    The response may replace the refresh token; with a `file`, the next run finds the new one there.
    """

    hint: t.ClassVar[str] = (
        "Check `access_token_url`, `client_id` and `client_secret`; if the refresh token was "
        "revoked or replaced, authorize the client again and set `refresh_token`."
    )

    refresh_token: str = field(repr=False)
    file: TokenFile | None = None

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        #: The refresh token that is valid now.
        self._latest = self.refresh_token

    @override
    def issue(self) -> tuple[object, object]:
        with ExitStack() as stack:
            self._open(stack)
            answer = self.exchange(self.grant())
            replaced = answer.get("refresh_token")
            if isinstance(replaced, str) and replaced and replaced != self._latest:
                # Kept before anything else can fail, for the old one may not work any more.
                self._keep(replaced)
        return value_at(answer, self.access_token_path), answer.get("expires_in")

    @override
    def grant(self) -> dict[str, str]:
        return {"grant_type": "refresh_token", "refresh_token": self._latest}

    def _open(self, stack: ExitStack) -> None:
        """Take the token from the file, which must be writable before a token is spent.

        No other process spends it until `stack` is closed.
        """
        if self.file is None:
            return
        try:
            stack.enter_context(self.file.locked())
            self._latest = self.file.read(self.refresh_token) or self._latest
        except (OSError, ValueError) as error:
            raise self._unusable(error) from None
        self._register(self._latest)
        self._write(self._latest)

    def _keep(self, replaced: str) -> None:
        self._register(replaced)
        is_first, self._latest = self._latest == self.refresh_token, replaced
        self._write(replaced)
        if self.file is None and is_first:
            logging.getLogger("tap-analytics").warning(
                "%s: the token URL replaced the refresh token. The next run needs the new one, "
                "which is kept nowhere: set `refresh_token_file`.",
                self._api,
            )

    def _write(self, token: str) -> None:
        if self.file is None:
            return
        try:
            self.file.write(token, configured=self.refresh_token)
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> Rejected:
        path = "" if self.file is None else self.file.path
        return Rejected(
            f"{self._api}: no refresh token can be kept in {path}: "
            f"{getattr(error, 'strerror', None) or error}",
            hint="Set `refresh_token_file` to a file that can be read and written.",
        )
