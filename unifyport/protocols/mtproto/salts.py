"""Server salts: each is valid for an hour, and the server names the next ones when it is asked
(https://core.telegram.org/mtproto/service_messages#request-for-several-future-salts).

The client's side does not ask: the first call under a salt that has ended costs one round trip more.
"""

from typing import ClassVar, Final

import attrs

from unifyport.protocols.mtproto import tl

MAX_SALTS: Final = 64


@attrs.frozen
class Salt:
    """Valid between two times of the server's clock, in seconds of the epoch."""

    valid_since: int
    valid_until: int
    salt: int


@attrs.frozen
class FutureSalts:
    CONSTRUCTOR: ClassVar[int] = 0xAE500895
    req_msg_id: int
    now: int
    salts: tuple[Salt, ...]

    def to_bytes(self) -> bytes:
        parts = [tl.constructor(self.CONSTRUCTOR), tl.int64(self.req_msg_id), tl.int32(self.now)]
        parts.append(tl.int32(len(self.salts)))
        for salt in self.salts:
            parts += tl.int32(salt.valid_since), tl.int32(salt.valid_until), tl.int64(salt.salt)
        return b"".join(parts)

    @classmethod
    def read(cls, reader: tl.Reader) -> "FutureSalts":
        req_msg_id, now = reader.int64(), reader.int32()
        count = reader.count(16, MAX_SALTS)
        salts = tuple(Salt(reader.int32(), reader.int32(), reader.int64()) for _ in range(count))
        return cls(req_msg_id, now, salts)


@attrs.frozen
class GetFutureSalts:
    CONSTRUCTOR: ClassVar[int] = 0xB921BD04
    count: int

    def to_bytes(self) -> bytes:
        return tl.constructor(self.CONSTRUCTOR) + tl.int32(self.count)
