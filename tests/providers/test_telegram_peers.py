"""How peers are known: ids as in events, and what is needed to reach them."""

import pytest
from telethon.tl import types

from actors.account.memory_session import MemorySession
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.records import Draft, Records
from unifyport.providers.telegram.user.peer import channel_id, id_of, number_of, peer_of_id, read_id
from unifyport.providers.telegram.user.peers import Peers

GROUP = channel_id(10**10)
FULL = types.User(2**40, access_hash=-(2**62), first_name="Mei", username="mei", phone="6590000001")
MIN = types.User(2**40, min=True, access_hash=5, first_name="M")


def _channel(**more: object) -> types.Channel:
    return types.Channel(10**10, "Ops", types.ChatPhotoEmpty(), None, megagroup=True, **more)


@pytest.fixture
def peers() -> Peers:
    return Peers(Records(MemorySession({})))


async def _learn(peers: Peers, *entities: object) -> None:
    draft = Draft(peers._records)
    await peers.learn(draft, entities)
    await peers._records.commit(draft.changes)


def test_ids_of_64_bits_stay_exact() -> None:
    for number in (1, 2**31, 2**52, 10**10):
        for peer in (types.PeerUser(number), types.PeerChannel(number)):
            assert peer_of_id(id_of(peer)).to_dict() == peer.to_dict()
            assert number_of(id_of(peer)) == number
    assert id_of(types.PeerChat(5)) == -5
    assert id_of(types.PeerChannel(2147483647)) == -1002147483647
    assert read_id("-1002147483648") == -1002147483648
    for wrong in ("", "0", "x", "--1", "1" * 30, "²"):
        with pytest.raises(Rejected):
            read_id(wrong)


async def test_a_min_peer_never_replaces_a_full_one(peers: Peers) -> None:
    await _learn(peers, FULL)
    await _learn(peers, MIN)
    known = await peers.get(2**40)
    assert known is not None
    assert (known.access_hash, known.first_name, known.phone) == (-(2**62), "Mei", "+6590000001")
    peer = await peers.input_peer(2**40)
    assert (peer.user_id, peer.access_hash) == (2**40, -(2**62))


async def test_a_min_peer_is_reached_through_the_message_it_came_with(peers: Peers) -> None:
    await _learn(peers, MIN, _channel(access_hash=9))
    with pytest.raises(Rejected) as refused:
        await peers.input_peer(2**40)
    assert refused.value.reason == "contact_not_reachable"
    known, draft = await peers.get(2**40), Draft(peers._records)
    assert known is not None
    await peers.note_seen(draft, known, GROUP, 17)
    await peers._records.commit(draft.changes)
    found = await peers.input_user(2**40)
    assert isinstance(found, types.InputUserFromMessage)
    assert (found.msg_id, found.peer.channel_id, found.peer.access_hash) == (17, 10**10, 9)
    await _learn(peers, FULL)
    assert isinstance(await peers.input_user(2**40), types.InputUser)


async def test_what_is_told_without_a_hash_keeps_the_known_one(peers: Peers) -> None:
    await _learn(peers, _channel(access_hash=9))
    await _learn(peers, _channel(left=True))
    known = await peers.get(GROUP)
    assert known is not None
    assert (known.access_hash, known.is_left) == (9, True)


async def test_an_unknown_peer_is_refused(peers: Peers) -> None:
    for id_ in (7, GROUP):
        with pytest.raises(Rejected) as refused:
            await peers.input_peer(id_)
        assert refused.value.reason == "contact_not_reachable"
    assert isinstance(await peers.input_peer(-5), types.InputPeerChat)
