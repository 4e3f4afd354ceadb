"""Messages that could not be decrypted: what we ask of their sender, and when we give up. Pure but for the
draft.

A message is asked for at most five times, with fresh keys from the second time on. A sender is asked at most
`PER_MINUTE` times a minute: one whose every message fails must not keep us busy. A message that is asked for
and does not come within `WAIT_SECONDS` is given up, and told as `undecryptable`; so is one beyond the limits.
"""

import time
from collections import OrderedDict

import msgspec

from unifyport.model.inbound import Ignored, ProviderEvent, dedupe_key
from unifyport.process.clock import Clock
from unifyport.protocols.binary_node import Jid, Node
from unifyport.providers.contract.session import MAX_PAGE

from .bundles import KEY_TYPE
from .keys import DeviceKeys
from .prekeys import PreKeys
from .records import Draft
from .stanzas import Head, members_of

RETRY = "retry"
MOST_RETRIES = 5
PER_MINUTE = 240
WAIT_SECONDS = 600
_SENDERS = 1024
_MOST_PLACES = 10_000  # then those that are done are left out


class Asked(msgspec.Struct, array_like=True):
    """A message that we have asked for. `at`: when we did first, seconds of the steady clock; `sent_at`:
    unix ms.
    """

    count: int
    at: int
    chat: str
    sender: str
    sent_at: int
    name: str
    from_me: bool
    reason: str


class Recovery:
    def __init__(self, keys: DeviceKeys, prekeys: PreKeys, account: str, clock: Clock) -> None:
        self._clock = clock
        self._keys = keys
        self._prekeys = prekeys
        self._account = account
        self._recent: OrderedDict[tuple[Jid, int], int] = OrderedDict()
        self._places: set[bytes] | None = None  # of messages that were asked for, once they are read

    async def ask_again(
        self, draft: Draft, node: Node, head: Head, *, reason: str, with_keys: bool
    ) -> tuple[Node, ProviderEvent] | None:
        """The retry receipt, and the row that says that it was asked for; None: give up."""
        place = _place(head)
        stored = await draft.get(RETRY, place)
        asked = msgspec.msgpack.decode(stored, type=Asked) if stored is not None else None
        stated = max((enc.number("count") for enc in node.all("enc")), default=0)
        count = max(asked.count if asked is not None else 0, min(stated, MOST_RETRIES)) + 1
        if count > MOST_RETRIES or not self._may_ask(head.sender.bare):
            draft.put(RETRY, place, None)
            return None
        now = self._clock.steady_ms() // 1000
        asked = Asked(
            count,
            asked.at if asked is not None else now,
            str(head.chat),
            str(head.sender),
            head.at,
            head.name,
            head.from_me,
            reason,
        )
        draft.put(RETRY, place, msgspec.msgpack.encode(asked))
        (await self._asked(draft)).add(place)
        receipt = await self._receipt(draft, node, head, asked, with_keys=with_keys or count > 1)
        key = dedupe_key("whatsapp", self._account, "asked", str(head.sender), head.id, count)
        return receipt, Ignored(key)

    async def succeeded(self, draft: Draft, head: Head) -> None:
        """A message has come; it may be one that was asked for."""
        places = await self._asked(draft)
        if places and (place := _place(head)) in places:
            draft.put(RETRY, place, None)
            places.discard(place)

    async def _asked(self, draft: Draft) -> set[bytes]:
        """The places of messages that were asked for; some may have come since."""
        if self._places is None or len(self._places) > _MOST_PLACES:
            found: set[bytes] = set()
            after: bytes | None = None
            while rows := await draft.records.session.scan(RETRY, after=after, limit=MAX_PAGE):
                found.update(place for place, _ in rows)
                after = rows[-1][0]
            self._places = found
        return self._places

    def _may_ask(self, sender: Jid) -> bool:
        minute = int(time.monotonic() // 60)
        count = self._recent.get((sender, minute), 0) + 1
        self._recent[sender, minute] = count
        while len(self._recent) > _SENDERS:
            self._recent.popitem(last=False)
        return count <= PER_MINUTE

    async def _receipt(self, draft: Draft, node: Node, head: Head, asked: Asked, *, with_keys: bool) -> Node:
        id_ = node.get("id")
        attributes = {"id": id_, "to": node.get("from"), "type": "retry"}
        attributes |= members_of(node)
        if node.get("category") == "peer":
            attributes["category"] = "peer"
        parts = [
            Node("retry", {"count": str(asked.count), "id": id_, "t": node.get("t"), "v": "1"}),
            Node("registration", {}, self._keys.registration_id.to_bytes(4)),
        ]
        if with_keys:
            keys = [
                Node("type", {}, KEY_TYPE),
                Node("identity", {}, self._keys.identity_pair.public),
                await self._prekeys.spare_for(draft, head.sender),
                self._prekeys.signed_key_node(),
                Node("device-identity", {}, self._keys.account),
            ]
            parts.append(Node("keys", {}, keys))
        return Node("receipt", attributes, parts)


def _place(head: Head) -> bytes:
    """By the sender, too, who chooses the id."""
    return dedupe_key(str(head.chat), str(head.sender.bare), head.id) + head.id.encode()
