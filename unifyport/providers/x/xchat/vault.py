"""The private keys of the account: recovered once by its passcode, or imported, then kept in the session.

X keeps them in realms that count wrong passcodes and delete the keys after the last one
(https://docs.x.com/xchat/cryptography-primer, https://juicebox.xyz). So a passcode goes there only when a
human has given it for just that, once; whatever comes of it, nothing here asks a second time. `"0000"` and an
empty passcode mean that there is none: they never go there.
"""

import base64
import binascii
import ipaddress
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from chat_xdk import Chat, guesses_remaining

from unifyport.model.auth import needs_confirmation
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.contract.login import Dialog, WrongPasscode

from .records import OWN
from .threads import CryptoError, at_realm, compute
from .transport import PublicKey, RealmConfig

UNLOCK_SECONDS = 45.0  # of one step of a login, which has a minute
NO_PASSCODE = "0000"
NOT_SET_UP, NOT_REGISTERED = "xchat_not_set_up", "xchat_key_not_registered"
_MAX_CONFIG = 64 * 1024
_MAX_GUESSES = 1000
_NOT_PUBLIC = frozenset(
    "arpa corp home internal intranet invalid lan local localhost onion private test".split()
)
_WORDS = {
    "Keys not registered": NOT_SET_UP,
    "Invalid auth token": "realm_token_refused",
}  # of `chat_xdk`, which gives no codes


class OwnKeys(msgspec.Struct, array_like=True, frozen=True):
    """The account's private keys as `export_keys` gives them, registered under `version`."""

    user_id: str
    version: int
    blob: bytes

    def __repr__(self) -> str:
        return f"OwnKeys({self.user_id}, {self.version})"

    @property
    def change(self) -> SessionChange:
        """What keeps them in the session."""
        return SessionChange(*OWN, msgspec.msgpack.encode(self))


def is_no_passcode(passcode: str | None) -> bool:
    """Whether this says that there is no passcode, or that it is not to be used."""
    return passcode is None or passcode.strip() in ("", NO_PASSCODE)


async def unlock(keys: Sequence[PublicKey], passcode: str, guesses_left: int | None) -> OwnKeys:
    """Recover the private keys; `keys`: what X has registered of the account. Asks the realms once.

    `guesses_left`: what the last wrong passcode left, None if it is not known. Raises
    `WrongPasscode(guesses_left)`, `Rejected` (`xchat_not_set_up`: no keys in realms; `last_guesses`: so few
    are left that only `unlock_with` may go on; `xchat_key_not_registered`; `no_passcode`), and `Transient`
    (`realm_timeout`, `realm_busy`, `realm_failed`), after which a guess may be used up.
    """
    kept = _in_realms(keys)
    if kept is None:
        raise Rejected(NOT_SET_UP, "the account has no XChat keys behind a passcode")
    if guesses_left is not None and needs_confirmation(guesses_left):
        raise Rejected("last_guesses", f"{guesses_left} guesses are left before X deletes the keys")
    return await _recover(kept, keys, passcode)


async def unlock_with(dialog: Dialog, keys: Sequence[PublicKey], guesses_left: int | None) -> OwnKeys | None:
    """As `unlock`, with the passcode that a human gives. None: nothing is in realms, or the human has none.

    The dialog wants a confirmation for one of the last guesses.
    """
    kept = _in_realms(keys)
    if kept is None or kept.realm is None:
        return None
    known = kept.realm.max_guesses if guesses_left is None else guesses_left
    passcode = await dialog.ask_passcode(known)
    return None if is_no_passcode(passcode) else await _recover(kept, keys, passcode)


async def import_keys(keys: Sequence[PublicKey], exported: str) -> OwnKeys:
    """The account's keys, of the base64 of `export_keys`. Raises `Rejected("invalid_chat_keys")`,
    `Rejected("xchat_key_not_registered")`.
    """
    try:
        blob = base64.b64decode(exported, validate=True)
        chat = Chat()
        await compute(chat.import_keys, blob)
    except (binascii.Error, ValueError):
        raise Rejected("invalid_chat_keys", "chat_keys is not what export_keys of chatxdk gives") from None
    return await _registered(chat, keys)


def realm_config(value: Any) -> RealmConfig | None:
    """Of `juicebox_config`, or of the same parts in other places; None if it names no realm that we may ask.

    A realm is asked by https only, or on this machine.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if not isinstance(value, Mapping):
        return None
    entries, guesses = value.get("token_map"), value.get("max_guess_count")
    if not isinstance(entries, list) or not entries or not isinstance(guesses, int):
        return None
    try:
        fits = all(_may_ask(entry["value"]["address"]) for entry in entries)
        store = json.loads(value.get("key_store_token_map_json") or '{"realms": []}')
        fits &= all(_may_ask(realm["address"]) for realm in store["realms"])
    except (LookupError, TypeError, ValueError):
        return None
    text = json.dumps(value)
    if not fits or len(text) > _MAX_CONFIG or not 0 < guesses <= _MAX_GUESSES:
        return None
    return RealmConfig(text, guesses)


def _may_ask(address: Any) -> bool:
    if not isinstance(address, str):
        return False
    parts = urlsplit(address)
    host = parts.hostname or ""
    try:
        at = ipaddress.ip_address(host)
    except ValueError:
        return parts.scheme == "https" and _is_public_name(host)
    return at.is_loopback if parts.scheme == "http" else at.is_global


def _is_public_name(host: str) -> bool:
    """Whether it is a name of the public DNS; `127.1` and `0x7f.0.0.1` are addresses to some resolvers."""
    *labels, last = host.rstrip(".").split(".")
    return bool(labels) and last.isascii() and last.isalpha() and last not in _NOT_PUBLIC


def _in_realms(keys: Sequence[PublicKey]) -> PublicKey | None:
    """The newest key that is kept in realms."""
    return max((key for key in keys if key.realm is not None), key=lambda key: key.version, default=None)


async def _recover(kept: PublicKey, keys: Sequence[PublicKey], passcode: str) -> OwnKeys:
    assert kept.realm is not None
    if is_no_passcode(passcode):
        raise Rejected("no_passcode")
    chat = Chat(kept.realm.json)
    try:
        await at_realm(UNLOCK_SECONDS, chat.unlock, passcode)
    except CryptoError as error:
        raise _failure(error) from None
    return await _registered(chat, keys)


def _failure(error: CryptoError) -> Exception:
    left = guesses_remaining(error.__cause__ or error)
    if left is not None:
        return WrongPasscode(left)
    word = str(error).splitlines()[0].removeprefix("Juicebox error: ")
    reason = _WORDS.get(word)
    if reason == NOT_SET_UP:
        return Rejected(reason, "the realms have no keys of the account")
    return Transient(reason or "realm_failed")


async def _registered(chat: Chat, keys: Sequence[PublicKey]) -> OwnKeys:
    """The keys of `chat`, under the newest version under which X has them."""

    def find() -> OwnKeys | None:
        found = [key for key in keys if chat.matches_registered_key(key.identity) and bound(chat, key)]
        blob = chat.export_keys()
        if not found or blob is None or len(blob) != 64:
            return None
        newest = max(found, key=lambda key: key.version)
        return OwnKeys(newest.user_id, newest.version, bytes(blob))

    own = await compute(find)
    if own is None:
        raise Rejected(NOT_REGISTERED, "these are not the keys that X has of the account")
    return own


def bound(chat: Chat, key: PublicKey) -> bool:
    """Whether one owner has both parts of a public key."""
    try:
        return bool(chat.verify_key_binding(key.identity, key.signing, key.binding))
    except ValueError:
        return False
