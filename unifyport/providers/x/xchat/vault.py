"""The private keys of the account: recovered once by its passcode, or imported, then kept in the session.

X keeps them in realms that count wrong passcodes and delete the keys after the last one
(https://docs.x.com/xchat/cryptography-primer, https://juicebox.xyz). So a passcode goes there only when a
human has given it for just that, once; whatever comes of it, nothing here asks a second time. `"0000"` and an
empty passcode mean that there is none: they never go there.
"""

import attrs

from unifyport.providers.contract.login import Dialog

from .transport import PublicKey, RealmConfig

UNLOCK_SECONDS = 45.0


@attrs.frozen
class OwnKeys:
    """The account's private keys as `export_keys` gives them, registered under `version`."""

    user_id: str
    version: int
    blob: bytes = attrs.field(repr=False)


def is_no_passcode(passcode: str | None) -> bool:
    """Whether this says that there is no passcode, or that it is not to be used."""
    raise NotImplementedError


async def unlock(keys: list[PublicKey], passcode: str, guesses_left: int | None) -> OwnKeys:
    """Recover the private keys; `keys`: what X has registered of the account. Asks the realms once.

    `guesses_left`: what the last wrong passcode left, None if it is not known. Raises
    `WrongPasscode(guesses_left)`, `Rejected` (`xchat_not_set_up`: no keys in realms; `xchat_keys_lost`: no
    guesses are left; `last_guesses`: so few that only `unlock_with` may go on; `xchat_key_not_registered`),
    and `Transient` (`realm_timeout`, `realm_unreachable`, `realm_busy`), after which a guess may be used up.
    """
    raise NotImplementedError


async def unlock_with(dialog: Dialog, keys: list[PublicKey], guesses_left: int | None) -> OwnKeys | None:
    """As `unlock`, with the passcode that a human gives. None: nothing is in realms, or the human has none."""
    raise NotImplementedError


def import_keys(keys: list[PublicKey], exported: str) -> OwnKeys:
    """The account's keys, of the base64 of `export_keys`. Raises `Rejected("invalid_chat_keys")`,
    `Rejected("xchat_key_not_registered")`.
    """
    raise NotImplementedError


def realm_config(value: object) -> RealmConfig | None:
    """Of `juicebox_config` or `token_map` of a record of public keys; None if it names no realm."""
    raise NotImplementedError
