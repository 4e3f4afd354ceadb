"""How the connection of a personal account ends, what becomes of the account, and what it had missed."""

from pathlib import Path
from typing import Any

import pytest

from tests.linked_world import QUICK
from tests.zalo_world import MAI, SHOP, zalo_world
from unifyport.protocols.zalo_frames import Encrypt, Frame
from unifyport.providers.zalo.personal import gaps, inbox, missed, uploads
from unifyport.sandbox.zalo.personal import platform

STATUS = "account.status.updated"


async def test_messages_of_an_outage_arrive_once_and_in_order(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        await world.write(MAI, SHOP, "before")
        group = (await world.do("group", name="Ops", members=[MAI, SHOP]))["id"]
        await world.write(MAI, group, "before")
        await world.inbox.until(lambda: world.texts(SHOP) == ["before", "before"])
        await world.stop(SHOP)
        texts = [f"text {number}" for number in range(120)]
        for text in texts:
            await world.write(MAI, SHOP, text)
            await world.write(MAI, group, f"group {text}")
        await world.start(SHOP)
        await world.write(MAI, SHOP, "after")
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 2 * len(texts) + 3)
        said = [e["text"] for e in world.received(SHOP) if e["conversation_id"] == MAI]
        assert said == ["before", *texts, "after"]
        said = [e["text"] for e in world.received(SHOP) if e["conversation_id"] == group]
        assert said == ["before", *(f"group {text}" for text in texts)]


async def test_frames_wait_while_there_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MOST_BYTES", 1)
    monkeypatch.setattr(missed, "MOST_HELD", 2)
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        texts = [f"text {number}" for number in range(30)]
        for text in texts:
            await world.write(MAI, SHOP, text)
        await world.told(SHOP, texts[-1])
        assert world.texts(SHOP) == texts


async def test_messages_from_before_the_login_are_not_told(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.users(SHOP)
        await world.write(MAI, SHOP, "old")
        await world.link(SHOP)
        await world.write(MAI, SHOP, "new")
        await world.inbox.until(lambda: "new" in world.texts(SHOP))
        assert world.texts(SHOP) == ["new"]


async def test_reactions_of_an_outage_come_after_their_messages(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        group = (await world.do("group", name="Ops", members=[MAI, SHOP]))["id"]
        first = await world.write(MAI, SHOP, "first")
        await world.do("react", **{"from": MAI}, message_id=first, icon=":>", type=0)
        await world.inbox.until(lambda: len(world.received(SHOP, "message.reaction")) == 1)
        await world.stop(SHOP)
        sent = [await world.write(MAI, to, f"text {number}") for number in range(60) for to in (SHOP, group)]
        for id_ in sent:
            await world.do("react", **{"from": MAI}, message_id=id_)
        await world.do("react", **{"from": MAI}, message_id=sent[0], icon="", type=-1)
        await world.start(SHOP)
        await world.do("react", **{"from": MAI}, message_id=first, icon="", type=-1)
        await world.inbox.until(lambda: len(world.received(SHOP, "message.reaction")) == 3 + len(sent))
        told = [(e["target_message_id"], e["reaction"]) for e in world.received(SHOP, "message.reaction")]
        assert sorted(told[1:]) == sorted([*((id_, "❤️") for id_ in sent), (sent[0], ""), (first, "")])
        assert [reaction for id_, reaction in told if id_ == sent[0]] == ["❤️", ""]
        for id_ in sent:
            about = [
                e for e in world.inbox.deliveries if id_ in (e.get("message_id"), e.get("target_message_id"))
            ]
            assert about[0]["type"] == "message.received"


async def test_who_types_is_told_to_an_account_that_asks_for_it(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        await world.users(MAI)
        group = (await world.do("group", name="Ops", members=[MAI, SHOP]))["id"]
        await world.do("typing", **{"from": MAI}, thread=SHOP)
        await world.write(MAI, SHOP, "before")
        await world.told(SHOP, "before")
        assert not world.named(SHOP, "typing")
        logins = world.logins(SHOP)
        await world.api.data("PATCH", f"/v1/accounts/{id_}", {"metadata": {"presence": "on"}})
        await world.logged_in(SHOP, logins + 1)
        for thread in (SHOP, SHOP, SHOP, group):
            await world.do("typing", **{"from": MAI}, thread=thread)
        await world.inbox.until(lambda: len(world.named(SHOP, "typing")) == 2)
        await world.write(MAI, SHOP, "after")
        await world.told(SHOP, "after")
        told = world.named(SHOP, "typing")
        assert [event["data"]["conversation"]["id"] for event in told] == [MAI, group]
        assert {event["data"]["event"]["state"] for event in told} == {"composing"}


async def test_reactions_that_the_platform_does_not_tell_hold_up_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.write(MAI, SHOP, "first")
        await world.told(SHOP, "first")
        answered = world.zalo._frame

        def silent(session: Any, listener: Any, frame: Frame) -> None:
            if frame.command not in gaps.REACTIONS:
                answered(session, listener, frame)

        monkeypatch.setattr(world.zalo, "_frame", silent)
        await world.stop(SHOP)
        await world.start(SHOP)
        id_ = await world.write(MAI, SHOP, "second")
        await world.do("react", **{"from": MAI}, message_id=id_)
        await world.told(SHOP, "second")
        assert not world.received(SHOP, "message.reaction")
        monkeypatch.setattr(gaps, "SECONDS", 0.1)
        await world.do("break", user=SHOP)
        await world.inbox.until(lambda: world.named(SHOP, "gap"))
        [gap] = world.named(SHOP, "gap")
        assert gap["data"]["event"]["missing"] == "reactions"


async def test_a_gap_that_the_platform_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.write(MAI, SHOP, "first")
        await world.inbox.until(lambda: world.texts(SHOP) == ["first"])
        monkeypatch.setattr(gaps, "SECONDS", 0.2)
        monkeypatch.setattr(world.zalo, "_frame", lambda session, listener, frame: None)
        await world.stop(SHOP)
        await world.start(SHOP)
        await world.write(MAI, SHOP, "second")
        await world.inbox.until(lambda: world.texts(SHOP) == ["first", "second"])
        assert world.named(SHOP, "gap")


@pytest.mark.parametrize("code", [3000, 3003])
async def test_another_connection_is_not_fought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Three quick tries, as for every connection, and then one an hour."""
    monkeypatch.setattr("actors.account.connection.OWN_CONFLICT_SECONDS", 0.0)
    policy = '[supervision.policies.default]\nbackoff = { initial = "20ms", max = "1h" }\n'
    async with zalo_world(tmp_path, policy=policy) as world:
        id_ = await world.link(SHOP)
        first = world.logins(SHOP)
        for number in range(4):
            await world.logged_in(SHOP, first + number)
            await world.do("kick", user=SHOP, code=code)
        runtime = f"/v1/accounts/{id_}/runtime"
        await world.api.until(lambda found: found["runtime_status"] == "reconnecting", runtime)
        assert world.logins(SHOP) == first + 3
        assert (await world.api.data("GET", f"/v1/accounts/{id_}/auth"))["status"] == "authorized"
        await world.inbox.until(lambda: "connection_replaced" in str(world.received(SHOP, STATUS)))


async def test_other_closes_are_dialled_again(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        for code in (1000, 1006, 4001):
            before = world.logins(SHOP)
            await (world.do("break", user=SHOP) if code == 1006 else world.do("kick", user=SHOP, code=code))
            await world.logged_in(SHOP, before + 1)
        await world.write(MAI, SHOP)
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello"])


async def test_a_session_that_has_ended(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("end_session", user=SHOP, close=1000)
        failed = await world.auth(SHOP, "failed")
        assert failed["last_error"] == "session_expired"
        await world.inbox.until(lambda: world.received(SHOP, "account.auth.failed"))


async def test_a_session_that_ends_while_a_message_is_sent(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        await world.do("end_session", user=SHOP)
        answer = await world.send(SHOP, MAI)
        assert answer.json()["error"]["outcome"] == "not_sent", answer.text
        assert (await world.auth(SHOP, "failed"))["last_error"] == "session_expired"


async def test_a_renewed_cookie_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The former one is refused as soon as the answer that renews it is there."""
    monkeypatch.setattr(platform, "FORMER_SECONDS", 0.0)
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        await world.do("renew", user=SHOP)
        assert (await world.send(SHOP, MAI)).status_code == 200
        await world.stop(SHOP)
        await world.start(SHOP)
        assert (await world.send(SHOP, MAI)).status_code == 200


async def test_a_send_whose_answer_is_lost_is_settled_by_its_echo(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        await world.order("faults", kind="lost_answer", method="api/message/sms")
        answer = await world.send(SHOP, MAI, "once")
        error = answer.json()["error"]
        path = f"/v1/commands/{error['command_id']}"
        settled = await world.api.until(lambda command: command["outcome"] == "sent", path)
        [told] = await world.sent()
        assert (settled["message_id"], told["text"]) == (told["id"], "once")
        assert not world.named(SHOP, "message_echo")


async def test_a_send_of_unknown_outcome_is_settled_after_a_restart(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.write(MAI, SHOP, "first")
        await world.inbox.until(lambda: world.texts(SHOP) == ["first"])
        await world.do("deaf", user=SHOP)
        await world.order("faults", kind="lost_answer", method="api/message/sms")
        error = (await world.send(SHOP, MAI, "once")).json()["error"]
        assert error["outcome"] == "unknown"
        await world.stop(SHOP)
        await world.start(SHOP)
        await world.api.until(
            lambda command: command["outcome"] == "sent", f"/v1/commands/{error['command_id']}"
        )
        assert len(await world.sent()) == 1


async def test_a_deaf_socket_is_found_by_a_probe(tmp_path: Path) -> None:
    policy = 'probe = { interval = "300ms", timeout = "200ms", failures = 1 }\n'
    async with zalo_world(tmp_path, policy=QUICK + policy) as world:
        await world.link(SHOP)
        await world.write(MAI, SHOP, "first")
        await world.inbox.until(lambda: world.texts(SHOP) == ["first"])
        await world.do("deaf", user=SHOP)
        await world.write(MAI, SHOP, "unheard")
        await world.inbox.until(lambda: world.texts(SHOP) == ["first", "unheard"])
        logins = world.logins(SHOP)
        await world.write(MAI, SHOP, "unheard again")
        await world.logged_in(SHOP, logins + 1)
        await world.inbox.until(lambda: world.texts(SHOP) == ["first", "unheard", "unheard again"])


async def test_a_silent_socket_is_replaced(tmp_path: Path) -> None:
    """It is open, and not even pings are answered."""
    policy = 'probe = { interval = "300ms", timeout = "200ms", failures = 1 }\n'
    async with zalo_world(tmp_path, policy=QUICK + policy) as world:
        await world.link(SHOP)
        logins = world.logins(SHOP)
        await world.do("silent", user=SHOP)
        await world.write(MAI, SHOP, "unheard")
        await world.logged_in(SHOP, logins + 1)
        await world.inbox.until(lambda: world.texts(SHOP) == ["unheard"])


async def test_frames_of_every_kind_of_encryption(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.do("manner", modes=[0, 1, 2, 3])
        assert world.zalo.manner.modes == tuple(Encrypt)
        await world.link(SHOP)
        texts = [f"text {number}" for number in range(8)]
        for text in texts:
            await world.write(MAI, SHOP, text)
        await world.inbox.until(lambda: world.texts(SHOP) == texts)


async def test_a_socket_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unifyport.providers.zalo.personal.socket.KEY_SECONDS", 0.2)
    async with zalo_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        await world.do("manner", gives_key=False)
        await world.do("break", user=SHOP)
        await world.api.until(lambda found: "no_answer" in str(found), f"/v1/accounts/{id_}/runtime")
        await world.do("manner", gives_key=True)
        await world.running(SHOP)


async def test_an_upload_whose_end_is_never_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "DONE_SECONDS", 0.2)
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        await world.do("file_done", never=True)
        key = await world.upload(b"%PDF", "paper.pdf", "application/pdf")
        message = {"type": "document", "file_key": key}
        answer = await world.send(SHOP, MAI, message=message)
        assert answer.json()["error"]["outcome"] == "not_sent", answer.text
        assert not await world.sent()


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_another_proxy_is_told_and_a_dead_one_not_gone_round(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    async with zalo_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        down = {"proxy": {"type": kind, "host": "127.0.0.1", "port": 1}}
        await world.api.data("PATCH", f"/v1/accounts/{id_}", down)
        await world.api.until(lambda found: found["recent_failures"], f"/v1/accounts/{id_}/runtime")
        seen = len(world.zalo.connections)
        assert "another proxy" in caplog.text
        await world.api("POST", f"/v1/accounts/{id_}/runtime/reconnect")
        await world.api.until(lambda found: len(found["recent_failures"]) > 2, f"/v1/accounts/{id_}/runtime")
        assert len(world.zalo.connections) == seen
        await world.api.data("PATCH", f"/v1/accounts/{id_}", {"proxy": None})
        await world.running(SHOP)
