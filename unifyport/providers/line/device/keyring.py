"""Keys of Letter Sealing as one connection has them: its own, those of users, those of groups.

    key                  kept                                  fetched
    ------------------   -----------------------------------   -------------------------------------------
    of the account       all, in the session                   at login, from the phone; or registered anew
    of a user            the current one, in the session       `negotiateE2EEPublicKey` to send,
                         others in memory                      `getE2EEPublicKey` by the id in a message
    of a group           the current one, in the session       `getLastE2EEGroupSharedKey` to send,
                         others in memory                      `getE2EEGroupSharedKey` by that id

A group without a key gets one from the first member that writes; after a change of members the server asks
for another.
"""

import contextlib

import msgspec
import trio

from unifyport.model.unit import SessionChange
from unifyport.process.clock import Clock
from unifyport.protocols.letter_sealing import group_keys, keys, messages
from unifyport.protocols.letter_sealing.errors import LetterSealingError
from unifyport.protocols.letter_sealing.keys import KeyPair, PublicKey
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.recent import Recent

from . import key_structures as of
from . import structures as line
from .errors import no_group_key
from .own_keys import OwnKeys
from .records import GROUP, PEER, GroupState, Me, PeerState, Records
from .sealing import Need, UserKey
from .talk import Talk, TalkRefusal

PLAIN_MS = 3_600_000  # for which it is remembered that a user does not seal
MOST_KEPT = 512  # keys of former ids in memory
MOST_MEMBERS = 500


class NoKey(Exception):
    """A message cannot be opened: this key cannot be had. The text is a word."""


class Keyring:
    """The keys of one connection."""

    def __init__(self, talk: Talk, records: Records, me: Me, clock: Clock) -> None:
        self.own = OwnKeys(talk, records, clock)
        self._talk = talk
        self._records = records
        self._me = me
        self._clock = clock
        self._public: Recent[UserKey, PublicKey] = Recent(MOST_KEPT)
        self._groups: Recent[tuple[str, int], KeyPair] = Recent(MOST_KEPT)

    # -- to open a message ----------------------------------------------------------------------------------

    async def for_opening(self, need: Need, chat: str) -> tuple[KeyPair, PublicKey]:
        """The keys that a message names. Raises `NoKey`, and failure classes."""
        if need.group_key_id is not None:
            return await self._group_key(chat, need.group_key_id), await self.public(need.peer)
        assert need.own_key_id is not None
        pair = await self.own.get(need.own_key_id)
        if pair is None:
            raise NoKey("own_key_missing")
        return pair, await self.public(need.peer)

    async def public(self, user: UserKey) -> PublicKey:
        """The public key of a user with this id. Raises `NoKey`, and failure classes."""
        known = self._public.get(user)
        if known is None:
            state = await self._peer(user.mid)
            if state.key_id == user.key_id:
                return PublicKey(state.key_id, state.key)
            asked = of.PublicKeyArguments(user.mid, key_id=user.key_id)
            found = await self._read("getE2EEPublicKey", asked, "peer_key_missing")
            assert isinstance(found, line.PublicKey)
            known = of.public_key(found)
            if known is None or known.key_id != user.key_id:
                raise NoKey("peer_key_missing")
            self._public.put(user, known)
        return known

    async def sealed_by(self, mid: str) -> None:
        """A sealed message came from this user: plain text is over."""
        state = await self._peer(mid)
        if state.plain_until:
            await self._keep_peer(mid, PeerState())

    # -- to seal a message ----------------------------------------------------------------------------------

    async def to_user(self, mid: str) -> messages.Keys | None:
        """The keys of a message to a user; None: the server says that they do not seal.

        Raises failure classes.
        """
        state, now = await self._peer(mid), self._clock.now_ms()
        if state.key_id < 0 and state.plain_until <= now:
            state = await self._negotiate(mid)
        if state.key_id < 0:
            return None
        own = await self.own.newest()
        return messages.keys_to_user(own, PublicKey(state.key_id, state.key))

    async def to_group(self, chat: str) -> messages.Keys:
        """The keys of a message to a group, which gets a key if it has none. Raises failure classes."""
        own = await self.own.newest()
        stored = await self._records.get(GROUP, chat.encode())
        if stored is None:
            pair = await self._newest_group_key(chat, own)
            await self._commit(GROUP, chat, GroupState(pair.key_id, pair.private))
        else:
            state = msgspec.msgpack.decode(stored, type=GroupState)
            pair = KeyPair(state.key_id, state.private)
        return messages.keys_in_group(pair, own.public)

    # -- what has become void -------------------------------------------------------------------------------

    async def forget_peer(self, mid: str) -> None:
        """The user has another key than the one that is kept."""
        await self._records.commit([SessionChange(PEER, mid.encode(), None)])

    async def forget_group(self, chat: str) -> None:
        """The group needs, or has, another key."""
        await self._records.commit([SessionChange(GROUP, chat.encode(), None)])

    async def plain(self, mid: str) -> None:
        """The server has said of this user that they do not seal."""
        await self._keep_peer(mid, PeerState(plain_until=self._clock.now_ms() + PLAIN_MS))

    async def renew_group(self, chat: str) -> None:
        """Give a group a new key, as its members have changed. Raises failure classes."""
        pair = await self._make_group_key(chat, await self.own.newest())
        await self._commit(GROUP, chat, GroupState(pair.key_id, pair.private))

    # -- inside ---------------------------------------------------------------------------------------------

    async def _peer(self, mid: str) -> PeerState:
        stored = await self._records.get(PEER, mid.encode())
        return msgspec.msgpack.decode(stored, type=PeerState) if stored is not None else PeerState()

    async def _keep_peer(self, mid: str, state: PeerState) -> None:
        await self._commit(PEER, mid, state)

    async def _commit(self, name: str, mid: str, state: PeerState | GroupState) -> None:
        await self._records.commit([SessionChange(name, mid.encode(), msgspec.msgpack.encode(state))])

    async def _negotiate(self, mid: str) -> PeerState:
        found: line.Negotiation = await self._talk.read("negotiateE2EEPublicKey", of.NegotiateArguments(mid))
        key = of.public_key(found.public_key)
        if key is None or (found.spec_version is not None and found.spec_version < 1):
            state = PeerState(plain_until=self._clock.now_ms() + PLAIN_MS)
        else:
            state = PeerState(key.key_id, key.data)
        await self._keep_peer(mid, state)
        return state

    async def _read(self, name: str, arguments: object, missing: str) -> object:
        """What the server has of a key. Raises `NoKey` where it refuses it."""
        try:
            return await self._talk.read(name, arguments)
        except Rejected:
            raise NoKey(missing) from None

    async def _group_key(self, chat: str, key_id: int) -> KeyPair:
        known = self._groups.get((chat, key_id))
        if known is None:
            asked = of.GroupKeyArguments(chat_mid=chat, group_key_id=key_id)
            found = await self._read("getE2EEGroupSharedKey", asked, "group_key_missing")
            assert isinstance(found, line.GroupKey)
            known = await self._open_group_key(chat, found)
            if known.key_id != key_id:
                raise NoKey("group_key_missing")
        return known

    async def _open_group_key(self, chat: str, found: line.GroupKey) -> KeyPair:
        """The pair of a group, of what its creator has sealed for us. Raises `NoKey`."""
        own = await self.own.get(found.receiver_key_id) if of.is_key_id(found.receiver_key_id) else None
        if own is None or not found.creator or not of.is_key_id(found.creator_key_id):
            raise NoKey("group_key_not_for_us")
        creator = await self.public(UserKey(found.creator, found.creator_key_id))
        try:
            pair = group_keys.open_group_key(found.sealed or b"", found.group_key_id or 0, own, creator)
        except LetterSealingError:
            raise NoKey("group_key_damaged") from None
        self._groups.put((chat, pair.key_id), pair)
        return pair

    async def _newest_group_key(self, chat: str, own: KeyPair) -> KeyPair:
        try:
            found = await self._talk.ask("getLastE2EEGroupSharedKey", of.LastGroupKeyArguments(chat_mid=chat))
        except TalkRefusal as refused:
            if not no_group_key(refused.error):
                raise refused.failure from None
            return await self._make_group_key(chat, own)
        with contextlib.suppress(NoKey):
            return await self._open_group_key(chat, found)
        return await self._make_group_key(chat, own)

    async def _make_group_key(self, chat: str, own: KeyPair) -> KeyPair:
        found = await self._talk.read("getLastE2EEPublicKeys", of.MemberKeysArguments(chat))
        members = {
            mid: key
            for mid, one in list(found.items())[:MOST_MEMBERS]
            if (key := of.public_key(one)) is not None
        }
        members[self._me.mid] = own.public
        made = keys.generate()
        sealed = []
        for key in members.values():
            sealed.append(group_keys.seal_group_key(made, own, key))
            await trio.lowlevel.checkpoint()  # a large group would hold the loop
        arguments = of.RegisterGroupKeyArguments(
            chat_mid=chat,
            members=tuple(members),
            key_ids=tuple(key.key_id for key in members.values()),
            sealed=tuple(sealed),
        )
        registered: line.GroupKey = await self._talk.write("registerE2EEGroupKey", arguments)
        if not of.is_key_id(registered.group_key_id):
            raise Transient("malformed_answer", maybe_applied=True)
        pair = KeyPair(registered.group_key_id, made.private)
        self._groups.put((chat, pair.key_id), pair)
        return pair
