"""Who an account is, and the authorization keys of its data centres, as records of its session."""

import msgspec

from unifyport.model.account import Identity


class AuthRecord(msgspec.Struct, array_like=True):
    """An authorization key (256 bytes), its salt, and the server's clock minus ours in seconds.

    `is_used`: the account's authorization was brought to this data centre.
    """

    key: bytes
    salt: int = 0
    time_offset: float = 0.0
    is_used: bool = False

    def __repr__(self) -> str:
        return "AuthRecord(...)"


class Me(msgspec.Struct, array_like=True):
    """`dc`: the account's data centre."""

    dc: int
    user_id: int
    phone: str = ""  # digits
    username: str = ""
    name: str = ""

    @property
    def identity(self) -> Identity:
        """The account, by its user id; the phone number can change."""
        return Identity(
            str(self.user_id),
            display_name=self.name,
            username=self.username,
            phone=f"+{self.phone}" if self.phone else "",
        )


def auth_key(dc: int) -> bytes:
    """The key of the record of a data centre's key."""
    return str(dc).encode()


def dump(value: AuthRecord | Me) -> bytes:
    return msgspec.msgpack.encode(value)


def load_auth(stored: bytes) -> AuthRecord:
    return msgspec.msgpack.decode(stored, type=AuthRecord)


def load_me(stored: bytes) -> Me:
    return msgspec.msgpack.decode(stored, type=Me)
