"""Trusted-contact tokens: without one, WhatsApp refuses a message to a person who has never written (463).

A person's token comes with history, or when the person writes; it is kept under the LID and goes along with
each message. It is valid for four buckets of seven days. We give the person one of ours once in a bucket.
https://github.com/tulir/whatsmeow (`tctoken.go`, `cstoken.go`)
"""

import msgspec

from unifyport.process.clock import Clock
from unifyport.protocols.binary_node import LID, Jid, Node
from unifyport.protocols.whatsapp.trusted_contacts import cs_token, is_due, is_valid

from . import people
from .addresses import is_person
from .records import Draft, Records
from .requests import Requests

_RECORD, _SALT = "token", ("salt", b"")
_LONGEST = 1024  # bytes of a token


class _Token(msgspec.Struct, array_like=True):
    token: bytes = b""
    at: int = 0  # unix seconds, the platform's
    given_at: int = 0  # when we gave ours


class Tokens:
    def __init__(self, records: Records, requests: Requests, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._requests = requests

    async def nodes(self, draft: Draft, to: Jid) -> list[Node]:
        """What a message to this person carries: its token, else one that the account's salt makes."""
        lid = await self._lid(draft, to)
        if lid is None:
            return []
        stored = await _read(draft, lid)
        valid = self._clock.in_doubt or is_valid(stored.at, self._clock.now_ms() / 1000)
        if stored.token and valid:
            return [Node("tctoken", {}, stored.token)]
        salt = await draft.get(*_SALT)
        if salt is None:
            return []
        return [Node("cstoken", {}, cs_token(salt, lid))]

    async def take(self, draft: Draft, person: Jid, token: bytes, at: int) -> None:
        """A token of a person. An older one than we have is ignored. `at`: unix seconds."""
        lid = await self._lid(draft, person) or person.bare
        stored = await _read(draft, lid)
        if 0 < len(token) <= _LONGEST and at >= stored.at:
            stored.token, stored.at = token, at
            _write(draft, lid, stored)

    def take_salt(self, draft: Draft, salt: bytes) -> None:
        if 0 < len(salt) <= _LONGEST:
            draft.put(*_SALT, salt)

    async def give(self, to: Jid) -> None:
        """Give this person a token of ours, once in a bucket. Raises a failure class."""
        now = self._clock.now_ms() // 1000
        draft = Draft(self._records)
        lid = await self._lid(draft, to)
        if lid is None or not is_due((await _read(draft, lid)).given_at, now):
            return
        token = Node("token", {"jid": str(lid), "t": str(now), "type": "trusted_contact"})
        await self._requests.ask("privacy", "set", Node("tokens", {}, [token]))
        async with self._records.lock:
            draft = Draft(self._records)
            stored = await _read(draft, lid)
            stored.given_at = now
            _write(draft, lid, stored)
            await self._records.commit(draft.changes)

    async def _lid(self, draft: Draft, jid: Jid) -> Jid | None:
        if not is_person(jid):
            return None
        return jid.bare if jid.server == LID else await people.lid_of(draft, jid.bare)


async def _read(draft: Draft, lid: Jid) -> _Token:
    stored = await draft.get(_RECORD, lid.user.encode())
    return msgspec.msgpack.decode(stored, type=_Token) if stored is not None else _Token()


def _write(draft: Draft, lid: Jid, token: _Token) -> None:
    draft.put(_RECORD, lid.user.encode(), msgspec.msgpack.encode(token))
