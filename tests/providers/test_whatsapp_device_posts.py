"""What a linked device tells on request only: status posts, newsletters, broadcasts, typing, presence."""

import logging
import time
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.account.memory_session import MemorySession
from unifyport.model.inbound import Ignored, MessageReceived, PlatformEvent, ProviderEvent, Unparsed
from unifyport.model.normalize import normalize
from unifyport.process.clock import Clock
from unifyport.protocols.binary_node import Jid, Node
from unifyport.protocols.signal.keys import Bundle
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa
from unifyport.protocols.whatsapp.messages import pad
from unifyport.providers.contract.counts import Counts
from unifyport.providers.whatsapp import CHANNEL
from unifyport.providers.whatsapp.device.addresses import STATUS
from unifyport.providers.whatsapp.device.failures import WINDOW_SECONDS, Failures
from unifyport.providers.whatsapp.device.group_cache import GroupCache
from unifyport.providers.whatsapp.device.incoming import Messages
from unifyport.providers.whatsapp.device.keys import DeviceKeys
from unifyport.providers.whatsapp.device.outcomes import Outcome
from unifyport.providers.whatsapp.device.posts import OnRequest, newsletter_events
from unifyport.providers.whatsapp.device.prekeys import PreKeys
from unifyport.providers.whatsapp.device.presence import FEWEST_SECONDS, REPEAT_SECONDS, Presence
from unifyport.providers.whatsapp.device.ratchets import Ratchets
from unifyport.providers.whatsapp.device.records import Draft, Records
from unifyport.providers.whatsapp.device.recovery import RETRY, Recovery
from unifyport.providers.whatsapp.device.requests import Requests
from unifyport.providers.whatsapp.device.stanzas import head_of
from unifyport.providers.whatsapp.device.tokens import Tokens

SHOP, MEI = Jid("6590000001", "s.whatsapp.net", 1), Jid("6590000002", "s.whatsapp.net")
NEWS, LIST = Jid("120363000000000007", "newsletter"), Jid("1700000000", "broadcast")
ALL = frozenset({"presence", "status_posts", "newsletters", "broadcasts"})


class Written:
    """The connection: what was written to it."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    async def send(self, node: Node) -> None:
        self.nodes.append(node)


class NoHistory:
    async def take(self, *args: Any) -> None:
        raise AssertionError("no history comes here")


class Device:
    """The parts of a linked device that read, without a platform."""

    def __init__(self, wanted: frozenset[str] = ALL) -> None:
        self.keys = DeviceKeys.generate(1_790_000_000)
        self.keys.jid, self.counts, self.socket = str(SHOP), Counts("whatsapp"), Written()
        self.session = MemorySession({})
        self.records, requests = Records(self.session), Requests(self.socket)  # type: ignore[arg-type]
        groups, tokens = GroupCache(self.records, requests), Tokens(self.records, requests, Clock())
        self.presence = Presence(
            self.keys,
            self.records,
            self.socket,  # type: ignore[arg-type]
            tokens=tokens,
            groups=groups,
            wanted="presence" in wanted,
        )
        self.messages = Messages(
            self.keys,
            ratchets=Ratchets(self.keys),
            groups=groups,
            recovery=Recovery(self.keys, PreKeys(self.records, self.keys, requests), SHOP.user, Clock()),
            history=NoHistory(),  # type: ignore[arg-type]
            on_request=OnRequest(wanted, self.counts),
            failures=Failures(self.counts),
            presence=self.presence,
            clock=Clock(),
        )

    async def read(self, node: Node) -> Outcome:
        draft = Draft(self.records)
        outcome = await self.messages.read(draft, node, head_of(node, self.keys), ())
        await self.records.commit(draft.changes)
        return outcome

    def bundle(self) -> Bundle:
        signed = self.keys.signed_keys[-1]
        return Bundle(1, self.keys.identity_pair.public, signed.id, signed.pair.public, signed.signature)


class Sender:
    """The phone of a person, who writes to the device of the account."""

    def __init__(self) -> None:
        self.keys = DeviceKeys.generate(1_790_000_000)
        self.keys.jid = str(MEI)
        self.ratchets, self.draft = Ratchets(self.keys), Draft(Records(MemorySession({})))

    async def to_device(self, device: Device, content: wa.Message) -> Node:
        if not await self.ratchets.has_session(self.draft, SHOP):
            await self.ratchets.begin(self.draft, SHOP, device.bundle())
        made = await self.ratchets.encrypt(self.draft, SHOP, pad(content.SerializeToString()))
        return Node("enc", {"v": "2", "type": made.type}, made.body)

    async def post(self, device: Device, content: wa.Message) -> list[Node]:
        """The ciphertexts of a status post, with the sender key."""
        own = await self.ratchets.own_key(self.draft, STATUS, [SHOP])
        told = wa.Message()
        told.senderKeyDistributionMessage.groupID = str(STATUS)
        told.senderKeyDistributionMessage.axolotlSenderKeyDistributionMessage = own.keys.distribution()
        body = self.ratchets.encrypt_group(self.draft, STATUS, own, pad(content.SerializeToString()))
        return [await self.to_device(device, told), Node("enc", {"v": "2", "type": "skmsg"}, body)]


def stanza(source: Jid, content: list[Node], id_: str = "3A01", at: int | None = None) -> Node:
    attributes = {"id": id_, "from": str(source), "participant": str(MEI), "t": str(at or int(time.time()))}
    return Node("message", attributes, content)


def told(outcome: Outcome) -> list[ProviderEvent]:
    return [event for event in outcome.events if not isinstance(event, Ignored)]


async def test_a_status_post_is_told_to_an_account_that_has_asked_for_it() -> None:
    device, sender = Device(), Sender()
    parts = await sender.post(device, wa.Message(conversation="closed on Sunday"))
    outcome = await device.read(stanza(STATUS, parts))
    [event] = told(outcome)
    assert isinstance(event, PlatformEvent)
    assert (event.name, event.direction, event.details) == ("status_post", "inbound", {"change": "sent"})
    assert event.content is not None
    assert event.content.text == "closed on Sunday"
    [standard] = normalize(event)
    assert standard.data["conversation"]["id"] == "status@broadcast"
    assert standard.data["sender"]["id"] == str(MEI)
    assert [reply.tag for reply in outcome.replies] == ["receipt", "ack"]
    [deleted] = told(await device.read(stanza(STATUS, await sender.post(device, _revoke("3A01")), "3A02")))
    assert isinstance(deleted, PlatformEvent)
    assert deleted.details == {"change": "deleted", "target_message_id": "3A01"}
    assert not any(name == "message" for name, _ in device.session.records)


def _revoke(message_id: str) -> wa.Message:
    made = wa.Message()
    made.protocolMessage.type = wa.ProtocolMessage.REVOKE
    made.protocolMessage.key.ID = message_id
    return made


@pytest.mark.parametrize(
    ("source", "kind"), [(STATUS, "status_posts"), (NEWS, "newsletters"), (LIST, "broadcasts")]
)
async def test_what_nobody_has_asked_for_is_acknowledged_and_counted(source: Jid, kind: str) -> None:
    device = Device(frozenset())
    outcome = await device.read(stanza(source, [Node("plaintext", {}, b"\x0a\x02hi")]))
    assert outcome.events == []
    assert [reply.tag for reply in outcome.replies] == ["ack"]
    assert device.counts.not_asked_for == {("whatsapp", kind): 1}


async def test_a_message_of_a_broadcast_list_is_in_the_conversation_with_its_sender() -> None:
    device, sender = Device(), Sender()
    part = await sender.to_device(device, wa.Message(conversation="to all"))
    [event] = told(await device.read(stanza(LIST, [part])))
    assert isinstance(event, MessageReceived)
    assert (event.conversation.id, event.content.text) == (str(MEI), "to all")
    assert event.content.fields["broadcast"] is True


async def test_a_post_that_cannot_be_read_is_asked_for_only_while_it_is_shown() -> None:
    device = Device()
    noise = [Node("enc", {"v": "2", "type": "skmsg"}, b"\x33" + bytes(80))]
    fresh = await device.read(stanza(STATUS, noise))
    assert [reply.get("type") for reply in fresh.replies] == ["retry", ""]
    old = await device.read(stanza(STATUS, noise, "3A09", at=int(time.time()) - 90_000))
    assert [reply.tag for reply in old.replies] == ["ack"]
    assert old.events == []
    assert sum(name == RETRY for name, _ in device.session.records) == 1
    assert sum(device.counts.undecryptable.values()) == 2


# -- newsletters ---------------------------------------------------------------------------------------------


def _post(text: str, server_id: int, **attributes: str) -> Node:
    content = wa.Message(conversation=text).SerializeToString()
    return Node(
        "message",
        {"id": f"3B{server_id}", "server_id": str(server_id), "t": "1790000000"} | attributes,
        [Node("plaintext", {}, content), Node("views_count", {"count": "7"})],
    )


def _notification(*content: Node) -> Node:
    return Node(
        "notification", {"type": "newsletter", "from": str(NEWS), "id": "1", "t": "1790000001"}, content
    )


def _texts(events: list[ProviderEvent]) -> list[str]:
    return [event.content.text for event in events if isinstance(event, PlatformEvent) and event.content]


@pytest.mark.parametrize("wrap", [0, 1, 2, 3])
def test_every_message_of_a_notification_is_read(wrap: int) -> None:
    posts = [_post(text, number) for number, text in enumerate(("one", "two", "three"), 1)]
    counts_alone = Node("message", {"server_id": "9"}, [Node("views_count", {"count": "8"})])
    posts.insert(1, counts_alone)
    forms = [
        _notification(*posts),
        _notification(Node("messages", {}, posts)),
        _notification(Node("live_updates", {}, [Node("messages", {}, posts)])),
        _notification(
            Node("live_updates", {}, [Node("messages", {}, posts[:2])]),
            Node("live_updates", {}, [Node("messages", {}, posts[2:])]),
        ),
    ]
    events = newsletter_events(forms[wrap], SHOP.user)
    assert _texts(events) == ["one", "two", "three"]
    assert len({event.key for event in events}) == 3
    [first] = normalize(events[0])
    assert first.data["conversation"] == {"id": str(NEWS), "type": "channel"} | {
        name: value for name, value in first.data["conversation"].items() if name not in ("id", "type")
    }
    assert first.data["event"]["name"] == "newsletter_message"
    assert first.data["event"]["server_id"] == "1"


async def test_a_message_and_its_repeat_in_a_notification_are_one_and_an_edit_is_another() -> None:
    device = Device()
    post = _post("one", 1)
    alone = Node("message", {**post.attrs, "from": str(NEWS)}, post.content)
    [event] = told(await device.read(alone))
    [again] = newsletter_events(_notification(post), SHOP.user)
    assert event.key == again.key
    edited = Node("message", post.attrs, [*post.children, Node("meta", {"msg_edit_t": "1790000009000"})])
    [change] = newsletter_events(_notification(edited), SHOP.user)
    assert change.key != event.key


def test_a_newsletter_message_that_is_noise_is_kept_and_the_others_are_read() -> None:
    noise = Node("message", {"server_id": "1", "id": "X"}, [Node("plaintext", {}, b"\xff" * 9)])
    events = newsletter_events(_notification(noise, _post("two", 2)), SHOP.user)
    assert isinstance(events[0], Unparsed)
    assert _texts(events) == ["two"]


# -- typing and presence -------------------------------------------------------------------------------------


def _chatstate(state: str, **attributes: str) -> Node:
    return Node("chatstate", {"from": str(MEI)} | attributes, [Node(state)])


async def _events(device: Device, node: Node) -> list[PlatformEvent]:
    outcome = await device.presence.read(Draft(device.records), node)
    assert outcome.replies == []
    return [event for event in outcome.events if isinstance(event, PlatformEvent)]


async def test_typing_and_presence_are_events_with_their_state(autojump_clock: MockClock) -> None:
    device = Device()
    recording = Node("chatstate", {"from": str(MEI)}, [Node("composing", {"media": "audio"})])
    [event] = await _events(device, recording)
    assert (event.name, event.details) == ("typing", {"state": "composing", "media": "audio"})
    [standard] = normalize(event, 1_790_000_000_000)
    assert standard.data["conversation"]["id"] == str(MEI)
    group = _chatstate("composing", **{"from": "120363@g.us", "participant": str(MEI)})
    [event] = await _events(device, group)
    assert event.conversation is not None
    assert (event.conversation.id, event.conversation.type) == ("120363@g.us", "group")
    away = Node("presence", {"from": str(MEI), "type": "unavailable", "last": "1790000000"})
    [event] = await _events(device, away)
    assert (event.name, event.details["state"]) == ("presence", "unavailable")
    assert event.details["last_seen"].startswith("2026-09-21T")
    for denied in ("deny", "99999999999999999"):
        await trio.sleep(REPEAT_SECONDS)
        [event] = await _events(device, Node("presence", {**away.attrs, "last": denied}))
        assert event.details == {"state": "unavailable"}


async def test_what_a_phone_repeats_is_told_now_and_then(autojump_clock: MockClock) -> None:
    device, keys = Device(), []
    for _ in range(30):  # one a second
        keys += [event.key for event in await _events(device, _chatstate("composing"))]
        await trio.sleep(1)
    assert len(keys) == len(set(keys)) == 3
    flood = [await _events(device, _chatstate(state)) for state in ("paused", "composing") * 50]
    assert sum(map(len, flood)) == 1
    await trio.sleep(FEWEST_SECONDS)
    assert await _events(device, _chatstate("composing"))


@pytest.mark.parametrize(
    "node",
    [
        Node("chatstate", {}),
        Node("chatstate", {"from": "@@"}, [Node("composing")]),
        _chatstate("surprise"),
        _chatstate("composing", **{"from": str(SHOP.bare)}),
        _chatstate("composing", **{"from": "120363@g.us"}),
        Node("presence", {"from": "120363@g.us", "participant": str(MEI)}),
        Node("presence", {"from": str(MEI), "type": "error"}),
    ],
)
async def test_what_cannot_be_read_of_it_is_nothing(node: Node) -> None:
    assert await _events(Device(), node) == []


async def test_people_who_write_are_asked_about_once() -> None:
    device, sender = Device(), Sender()
    await device.presence.begin()
    for number in range(2):
        part = await sender.to_device(device, wa.Message(conversation="hi"))
        attributes = {"id": f"3A{number}", "from": str(MEI), "t": "1790000000"}
        for work in (await device.read(Node("message", attributes, [part]))).later:
            await work()
    assert [dict(node.attrs) for node in device.socket.nodes] == [
        {"type": "available"},
        {"type": "subscribe", "to": str(MEI)},
    ]


async def test_a_device_of_which_nothing_was_asked_does_not_say_that_it_is_available() -> None:
    device = Device(frozenset())
    await device.presence.begin()
    assert not device.presence.is_new(MEI)
    assert device.socket.nodes == []


# -- failures ------------------------------------------------------------------------------------------------


async def test_of_a_sender_whose_every_message_fails_there_is_a_line_now_and_then(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    counts = Counts("whatsapp")
    failures = Failures(counts)
    with caplog.at_level(logging.WARNING):
        for number in range(10_000):
            failures.add(MEI.on_device(number % 3), "BadMac")
        failures.add(SHOP, "no_session")
        await trio.sleep(WINDOW_SECONDS)
        failures.add(MEI, "BadMac")
    first, other, later = (record.getMessage() for record in caplog.records)
    assert (first, other) == (
        "whatsapp: a message could not be decrypted (BadMac)",
        "whatsapp: a message could not be decrypted (no_session)",
    )
    assert later.endswith("; 9999 more of this sender since the last such line")
    assert MEI.user not in caplog.text
    assert counts.undecryptable == {("whatsapp", "BadMac"): 10_001, ("whatsapp", "no_session"): 1}


# -- what is asked for ---------------------------------------------------------------------------------------


def test_an_account_asks_by_its_metadata() -> None:
    linked = CHANNEL.connection("qrcode", {})
    assert linked is not None
    assert linked.wanted({"presence": "on", "newsletters": "off", "status_posts": True, "team": "on"}) == {
        "presence"
    }
    assert linked.wanted(dict.fromkeys(ALL, "on")) == ALL
