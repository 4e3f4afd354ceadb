"""The sandbox's Telegram is as strict as Telegram: what it refuses, and what its differences hold."""

import base64
import time
from typing import Any

import pytest
from telethon.tl import functions as F
from telethon.tl import types as T
from telethon.tl.types import updates

from unifyport.protocols.mtproto.encryption import AuthKey
from unifyport.protocols.mtproto.server_session import ServerSession
from unifyport.sandbox.telegram.user.authorizations import Authorization, Session
from unifyport.sandbox.telegram.user.directory import Person
from unifyport.sandbox.telegram.user.errors import Refused
from unifyport.sandbox.telegram.user.platform import UserPlatform
from unifyport.sandbox.telegram.user.server import Call

ANN, BEN, CAT = "6590000011", "6590000012", "6590000013"


class Device:
    """A device that is logged in, without a network."""

    def __init__(self, platform: UserPlatform, person: Person | None, dc: int = 2) -> None:
        self._platform = platform
        self.authorization = Authorization(AuthKey(bytes(256)), dc, 0)
        self.authorization.initialised = True
        self.session = Session(self.authorization, ServerSession(self.authorization.key, salt=0))
        if person is not None:
            self.authorization.person = person
            person.authorizations.append(self.authorization)

    def __call__(self, query: Any) -> Any:
        """Raises `Refused`."""
        centre = self._platform.server.centres[self.authorization.dc]
        call = Call(self._platform.server, centre, self.session, 1)
        return self._platform.server.handlers[type(query)](call, query)


@pytest.fixture
def platform() -> UserPlatform:
    platform = UserPlatform()
    for phone, name in ((ANN, "Ann"), (BEN, "Ben"), (CAT, "Cat")):
        platform.account(phone, name)
    return platform


def person(platform: UserPlatform, phone: str) -> Person:
    found = platform.server.directory.by_phone(phone)
    assert found is not None
    return found


def peer(platform: UserPlatform, viewer: str, phone: str) -> Any:
    other = person(platform, phone)
    hash = platform.server.directory.access_hash(person(platform, viewer), other)
    return T.InputPeerUser(other.id, hash)


def send(platform: UserPlatform, sender: str, to: str, text: str, random_id: int = 1) -> Any:
    return F.messages.SendMessageRequest(peer(platform, sender, to), text, random_id=random_id)


def test_an_access_hash_of_another_account_is_refused(platform: UserPlatform) -> None:
    ann = Device(platform, person(platform, ANN))
    stolen = F.messages.SendMessageRequest(peer(platform, BEN, CAT), "hello", random_id=1)
    with pytest.raises(Refused, match="PEER_ID_INVALID"):
        ann(stolen)


def test_a_random_id_is_executed_once(platform: UserPlatform) -> None:
    ann = Device(platform, person(platform, ANN))
    ann(send(platform, ANN, BEN, "once"))
    with pytest.raises(Refused, match="RANDOM_ID_DUPLICATE"):
        ann(send(platform, ANN, BEN, "once"))
    assert [post.text for post in person(platform, BEN).posts.values()] == ["once"]


def test_a_key_without_a_login_is_refused(platform: UserPlatform) -> None:
    with pytest.raises(Refused, match="AUTH_KEY_UNREGISTERED"):
        Device(platform, None)(F.updates.GetStateRequest())
    person(platform, ANN).deleted = True
    with pytest.raises(Refused, match="USER_DEACTIVATED"):
        Device(platform, person(platform, ANN))(F.updates.GetStateRequest())


def test_a_difference_comes_in_slices_that_leave_nothing_out(platform: UserPlatform) -> None:
    ann = Device(platform, person(platform, ANN))
    platform.states.slice = 3
    for number in range(10):
        platform.customers.write(person(platform, BEN), ANN, f"{number}")
    pts, texts = 1, []
    for _ in range(10):
        found = ann(F.updates.GetDifferenceRequest(pts, None, 0))
        texts += [message.message for message in found.new_messages]
        if isinstance(found, updates.Difference):
            assert found.state.pts == person(platform, ANN).box.pts
            break
        pts = found.intermediate_state.pts
    assert texts == [f"{number}" for number in range(10)]
    empty = ann(F.updates.GetDifferenceRequest(found.state.pts, found.state.date + 10, 0))
    assert empty is not None
    platform.states.most = 5
    assert isinstance(ann(F.updates.GetDifferenceRequest(1, None, 0)), updates.DifferenceTooLong)


def test_what_the_sender_sent_is_named_in_its_difference(platform: UserPlatform) -> None:
    ann = Device(platform, person(platform, ANN))
    answer = ann(send(platform, ANN, BEN, "hello", 77))
    found = ann(F.updates.GetDifferenceRequest(1, None, 0))
    [named] = [each for each in found.other_updates if isinstance(each, T.UpdateMessageID)]
    assert (named.id, named.random_id) == (answer.id, 77)


def test_a_difference_of_a_channel(platform: UserPlatform) -> None:
    people = [person(platform, BEN), person(platform, ANN)]
    channel = platform.members.make_channel("News", people, megagroup=True)
    ann = Device(platform, person(platform, ANN))
    hash = platform.server.directory.access_hash(person(platform, ANN), channel)
    begin = channel.box.pts
    for number in range(5):
        platform.customers.write(person(platform, BEN), channel, f"{number}")
    filter = T.ChannelMessagesFilterEmpty()

    def difference(pts: int, limit: int = 100) -> Any:
        named = T.InputChannel(channel.id, hash)
        return ann(F.updates.GetChannelDifferenceRequest(named, filter, pts, limit))

    first = difference(begin, 2)
    assert [message.message for message in first.new_messages] == ["0", "1"]
    assert not first.final
    rest = difference(first.pts)
    assert [message.message for message in rest.new_messages] == ["2", "3", "4"]
    assert rest.final
    assert isinstance(difference(rest.pts), updates.ChannelDifferenceEmpty)
    with pytest.raises(Refused, match="PERSISTENT_TIMESTAMP_INVALID"):
        difference(rest.pts + 1)
    platform.states.channel_most = 3
    assert isinstance(difference(begin), updates.ChannelDifferenceTooLong)
    platform.members.remove(channel, person(platform, ANN), person(platform, BEN), banned=True)
    with pytest.raises(Refused, match="CHANNEL_PRIVATE"):
        difference(begin)


def test_a_wait_that_is_not_obeyed_is_noted(platform: UserPlatform) -> None:
    platform.orders.obey({"do": "flood", "method": "messages.sendMessage", "seconds": 30, "peer": BEN})
    noise = platform.server.noise
    for _ in range(2):
        with pytest.raises(Refused, match="FLOOD_WAIT_30"):
            noise.meet("messages.sendMessage", send(platform, ANN, BEN, "hello"))
    noise.meet("messages.sendMessage", send(platform, ANN, CAT, "hello"))
    [early] = noise.early
    assert 29 < early.by <= 30


def test_a_stranger_of_a_group_is_reached_through_a_message(platform: UserPlatform) -> None:
    """https://core.telegram.org/api/min"""
    ann, cat = person(platform, ANN), person(platform, CAT)
    group = platform.members.make_channel("Ops", [person(platform, BEN), ann, cat], megagroup=True)
    post = platform.customers.write(cat, group, "hello")
    entry = group.box.log[-1]
    wrapped = platform.delivery.wrap(ann, [entry.update(ann)])
    [shown] = [each for each in wrapped.users if each.id == cat.id]
    assert shown.min
    device = Device(platform, ann)
    with pytest.raises(Refused, match="PEER_ID_INVALID"):
        device(F.messages.SendMessageRequest(T.InputPeerUser(cat.id, shown.access_hash), "hi", random_id=1))
    channel = T.InputPeerChannel(group.id, platform.server.directory.access_hash(ann, group))
    through = T.InputPeerUserFromMessage(channel, post.numbers[group], cat.id)
    assert device(F.messages.SendMessageRequest(through, "hi", random_id=2)).out


def test_a_qr_code_is_accepted_once_and_in_time(platform: UserPlatform) -> None:
    new = Device(platform, None)
    token = new(F.auth.ExportLoginTokenRequest(1, "hash", [])).token
    text = "tg://login?token=" + base64.urlsafe_b64encode(token).decode()
    order = {"do": "scan", "qr": text, "phone": ANN}
    platform.logins.tokens[token].expires = time.time() - 1
    with pytest.raises(ValueError, match="AUTH_TOKEN_EXPIRED"):
        platform.orders.obey(order)
    platform.logins.tokens[token].expires = time.time() + 30
    platform.orders.obey(order)
    with pytest.raises(ValueError, match="AUTH_TOKEN_ALREADY_ACCEPTED"):
        platform.orders.obey(order)
    answer = new(F.auth.ExportLoginTokenRequest(1, "hash", []))
    assert answer.authorization.user.id == person(platform, ANN).id


def test_files_are_checked(platform: UserPlatform) -> None:
    ann = Device(platform, person(platform, ANN))
    with pytest.raises(Refused, match="FILE_PART_TOO_BIG"):
        ann(F.upload.SaveFilePartRequest(1, 0, bytes(512 * 1024 + 1)))
    ann(F.upload.SaveFilePartRequest(1, 0, bytes(1024)))
    named = T.InputFile(1, 2, "a.pdf", "")
    media = T.InputMediaUploadedDocument(named, "application/pdf", [])
    with pytest.raises(Refused, match="FILE_PART_1_MISSING"):
        ann(F.messages.SendMediaRequest(peer(platform, ANN, BEN), media, "", random_id=1))
    file = platform.files.add(bytes(10_000), 4)
    location = T.InputDocumentFileLocation(file.id, file.access_hash, file.reference, "")
    with pytest.raises(Refused, match="FILE_MIGRATE_4"):
        ann(F.upload.GetFileRequest(location, 0, 4096))
    there = Device(platform, person(platform, ANN), dc=4)
    assert len(there(F.upload.GetFileRequest(location, 8192, 4096)).bytes) == 10_000 - 8192
    with pytest.raises(Refused, match="LIMIT_INVALID"):
        there(F.upload.GetFileRequest(location, 0, 5000))
    file.expire()
    with pytest.raises(Refused, match="FILE_REFERENCE_EXPIRED"):
        there(F.upload.GetFileRequest(location, 0, 4096))


def test_who_asks_to_join_is_let_in_by_an_administrator(platform: UserPlatform) -> None:
    ann, ben = person(platform, ANN), person(platform, BEN)
    channel = platform.members.make_channel("Ops", [ann], megagroup=True)
    platform.orders.obey({"do": "ask_to_join", "from": BEN, "to": f"-100{channel.id}"})
    device = Device(platform, ann)
    named = T.InputPeerChannel(channel.id, platform.server.directory.access_hash(ann, channel))
    asked = F.messages.GetChatInviteImportersRequest(named, None, T.InputUserEmpty(), 10, requested=True)
    assert [each.user_id for each in device(asked).importers] == [ben.id]
    user = T.InputUser(ben.id, platform.server.directory.access_hash(ann, ben))
    device(F.messages.HideChatJoinRequestRequest(named, user, approved=True))
    assert ben in channel.members
    assert device(asked).importers == []
    with pytest.raises(Refused, match="HIDE_REQUESTER_MISSING"):
        device(F.messages.HideChatJoinRequestRequest(named, user, approved=True))


@pytest.mark.parametrize(("do", "times"), [("gap", 0), ("duplicate", 2)])
def test_noise_that_was_ordered_is_for_whoever_is_pushed_to(
    platform: UserPlatform, do: str, times: int
) -> None:
    """The sender has no device, and so does not use it up."""
    ann = Device(platform, person(platform, ANN))
    ann.authorization.sessions[0] = ann.session
    platform.orders.obey({"do": do})
    platform.customers.write(person(platform, BEN), ANN, "hello")
    assert ann.session.protocol.unacked == times
    platform.customers.write(person(platform, BEN), ANN, "hello again")
    assert ann.session.protocol.unacked == times + 1
