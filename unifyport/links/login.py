"""Addresses of a login: the page of a passkey, and the callback of OAuth with its state.

A page is `{public_url}/login/{account id}.{token}`; its token is known only to the question that it belongs
to. A state is `{account id}.{sealed}`: it names the account and the number of its login, and no other party
can make one. Whether it is the state of the question that waits now, the login itself checks.
"""

import msgspec

from unifyport.storage.sealing import KeyRing, SealError

CALLBACK_PATH = "/oauth/callback"
PAGE_PREFIX = "/login/"
_PURPOSE = "oauth_state"


class NoLogin(Exception):
    """The state is not one of this gateway."""


class LoginLinks:
    """`public_url`: where platforms send people back to, None if the operator has not said it."""

    def __init__(self, ring: KeyRing, base_url: str, public_url: str | None) -> None:
        self._ring = ring
        self._base_url = base_url.rstrip("/")
        self.callback_url = None if public_url is None else f"{public_url.rstrip('/')}{CALLBACK_PATH}"

    def page_url(self, account_id: str, token: str) -> str:
        return f"{self._base_url}{PAGE_PREFIX}{account_id}.{token}"

    def new_state(self, account_id: str, login: int) -> str:
        """A state of this account and login. No two are the same: each is sealed with its own nonce."""
        sealed = self._ring.seal_text(_PURPOSE, msgspec.json.encode(login), context=account_id)
        return f"{account_id}.{sealed}"

    def read_state(self, state: str) -> tuple[str, int]:
        """(account id, number of its login). Raises `NoLogin`."""
        account_id, _, sealed = state.partition(".")
        try:
            plain = self._ring.open_text(_PURPOSE, sealed, context=account_id)
        except SealError:
            raise NoLogin from None
        return account_id, msgspec.json.decode(plain, type=int)
