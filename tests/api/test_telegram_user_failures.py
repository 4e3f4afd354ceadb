"""How a personal account of Telegram fails: waits, refusals, lost answers, and codes that expire."""

from pathlib import Path
from typing import Any

import pytest
import trio

from tests.telegram_world import MEI, SHOP, TOM, TelegramWorld, telegram_world
from unifyport.providers.telegram.user import connection, sends
from unifyport.providers.telegram.user.refusals import REFUSALS

SEND = "messages.sendMessage"


async def people(world: TelegramWorld) -> tuple[str, str]:
    """MEI and TOM, who wrote to SHOP; their conversations."""
    await world.link(SHOP, name="Shop")
    chats = []
    for phone in (MEI, TOM):
        chats.append(str((await world.do("account", phone=phone))["id"]))
        await world.order("messages", **{"from": phone, "to": SHOP, "text": f"hello from {phone}"})
    await world.inbox.until(lambda: len(world.texts(SHOP)) == 2)
    return chats[0], chats[1]


def calls(world: TelegramWorld, method: str = SEND) -> list[Any]:
    return [seen for seen in world.user_platform.server.seen if seen.method == method]


async def test_a_wait_is_told_exactly_and_holds_up_no_other_conversation(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        mei, tom = await people(world)
        await world.do("flood", method=SEND, seconds=40, peer=MEI)
        refused = await world.send(SHOP, mei)
        assert refused.status_code == 429, refused.text
        assert refused.json()["error"]["outcome"] == "not_sent"
        assert 38 <= int(refused.headers["retry-after"]) <= 40
        assert (await world.send(SHOP, tom)).status_code == 200
        again = await world.send(SHOP, mei)  # known to be too early: Telegram is not asked
        assert again.status_code == 429, again.text
        assert len(calls(world)) == 2
        assert not world.user_platform.server.noise.early


async def test_after_a_wait_is_over_it_is_sent(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        mei, _ = await people(world)
        await world.do("flood", method=SEND, seconds=1, peer=MEI)
        with trio.fail_after(20):
            while (answer := await world.send(SHOP, mei)).status_code == 429:
                await trio.sleep(0.1)  # a caller that does not obey; the gateway does
        assert answer.status_code == 200, answer.text
        assert not world.user_platform.server.noise.early
        assert len(calls(world)) == 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ((400, "USER_IS_BLOCKED"), "blocked_by_recipient"),
        ((400, "INPUT_USER_DEACTIVATED"), "contact_not_reachable"),
        ((403, "CHAT_WRITE_FORBIDDEN"), "not_allowed"),
        ((400, "REPLY_MESSAGE_ID_INVALID"), "reply_message_id_invalid"),
        ((400, "SOMETHING_NEW"), "something_new"),
    ],
)
async def test_a_send_that_is_refused(tmp_path: Path, error: tuple[int, str], reason: str) -> None:
    async with telegram_world(tmp_path) as world:
        mei, _ = await people(world)
        await world.do("error", method=SEND, code=error[0], name=error[1])
        refused = await world.send(SHOP, mei)
        told = refused.json()["error"]
        assert (told["reason"], told["outcome"]) == (reason, "rejected"), refused.text
        assert told["provider"]["code"] == error[1]
        words = REFUSALS.get(error[1], ("", "Telegram refused the request"))[1]
        assert f"{words} ({error[1]})" in told["message"]


async def test_a_limit_on_strangers_is_of_one_conversation(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        mei, tom = await people(world)
        await world.do("error", method=SEND, name="PEER_FLOOD")
        refused = await world.send(SHOP, mei)
        told = refused.json()["error"]
        assert (refused.status_code, told["outcome"]) == (429, "not_sent"), refused.text
        assert 86_390 < int(refused.headers["retry-after"]) <= 86_400
        assert (await world.send(SHOP, tom)).status_code == 200
        again = await world.send(SHOP, mei)
        assert again.status_code == 429, again.text
        assert len(calls(world)) == 2, "Telegram is not asked again"
        await world.running(SHOP)


async def test_a_person_who_blocked_us_and_a_group_that_we_left(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        mei, _ = await people(world)
        directory = world.user_platform.server.directory
        shop, other = directory.by_phone(SHOP), directory.by_phone(MEI)
        assert shop is not None
        assert other is not None
        group = world.user_platform.members.make_group("Ops", [other, shop])
        world.user_platform.customers.write(other, group, "in the group")
        await world.inbox.until(lambda: "in the group" in world.texts(SHOP))
        other.blocked.add(shop)
        refused = await world.send(SHOP, mei)
        assert refused.json()["error"]["reason"] == "blocked_by_recipient", refused.text
        world.user_platform.members.remove(group, shop, other)
        await world.inbox.until(lambda: world.received(SHOP, "group.updated"))
        refused = await world.send(SHOP, f"-{group.id}")
        told = refused.json()["error"]
        assert (told["reason"], told["outcome"]) == ("not_a_member", "rejected"), refused.text


async def test_an_answer_that_is_lost_is_settled_by_asking_again(tmp_path: Path) -> None:
    """Telegram executes a `random_id` once."""
    async with telegram_world(tmp_path) as world:
        mei, _ = await people(world)
        await world.do("mute", method=SEND)
        answers = []

        async def send() -> None:
            answers.append(await world.send(SHOP, mei, "once"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await world.api.until(lambda _: bool(calls(world)), f"/v1/accounts/{world.ids[SHOP]}")
            await world.do("forget_sessions")  # then it is unknown whether it was executed
        await world.running(SHOP)
        shop = world.user_platform.server.directory.by_phone(SHOP)
        assert shop is not None
        assert [post.text for post in shop.sent.values()] == ["once"]
        await world.order("messages", **{"from": MEI, "to": SHOP, "text": "afterwards"})
        await world.inbox.until(lambda: "afterwards" in world.texts(SHOP))
        assert [post.text for post in shop.sent.values()] == ["once"]
        assert not world.received(SHOP, "provider.event"), "it is no echo"
        [answer] = answers
        assert answer.status_code == 200 or answer.json()["error"]["outcome"] == "unknown", answer.text


async def another_code(world: TelegramWorld, former: str) -> str:
    """The QR code that is shown after `former`."""
    path = f"/v1/accounts/{world.ids[SHOP]}/auth"
    shown = await world.api.until(
        lambda auth: auth.get("auth_payload", {}).get("qr_code", former) != former, path
    )
    return str(shown["auth_payload"]["qr_code"])


async def test_a_qr_code_that_expires_is_replaced(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        world.user_platform.logins.token_seconds = 2
        await world.do("account", phone=SHOP)
        first = await world.start_by_qr(SHOP)
        second = await another_code(world, first)
        order = {"do": "scan", "qr": first, "phone": SHOP}
        refused = await world.platform.http.post("/sandbox/telegram-user/updates", json=order)
        assert refused.json()["error"].startswith("qr: AUTH_TOKEN_")
        world.user_platform.logins.token_seconds = 30
        await world.do("scan", qr=await another_code(world, second), phone=SHOP)
        await world.running(SHOP)


async def test_a_qr_code_that_nobody_scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.account.dialog.SHOWN_SECONDS", 0.3)
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=SHOP)
        await world.start_by_qr(SHOP)
        assert (await world.auth(SHOP, "failed"))["last_error"] == "qrcode_expired"
        await world.inbox.until(lambda: world.received(SHOP, "account.auth.failed"))
        [event] = world.received(SHOP, "account.auth.failed")
        assert event["data"]["last_error"] == "qrcode_expired"


async def test_a_wait_before_a_code_is_sent(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=SHOP)
        await world.do("flood", method="auth.sendCode", seconds=60_259)
        await world.create(SHOP, "code")
        await world.api.http.post(f"/v1/accounts/{world.ids[SHOP]}/auth/start")
        failed = await world.auth(SHOP, "failed")
        assert "retry_at" in failed.get("auth_payload", {}) or failed["last_error"], failed
        assert failed["last_error"] == "rate_limited"
        assert len(calls(world, "auth.sendCode")) == 1


async def test_an_answer_that_never_comes_on_a_connection_that_stays_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sends, "_ANSWER_SECONDS", 0.5)
    quick = {"repeatable": True, "timeout": 0.5}
    monkeypatch.setattr(connection.Connection.call, "__kwdefaults__", quick)
    async with telegram_world(tmp_path) as world:
        mei, tom = await people(world)
        await world.do("mute", method=SEND)
        unknown = await world.send(SHOP, mei, "once")
        assert unknown.status_code == 200 or unknown.json()["error"]["outcome"] == "unknown", unknown.text
        assert (await world.send(SHOP, tom, "another")).status_code == 200
        shop = world.user_platform.customers.person(SHOP)
        assert [post.text for post in shop.sent.values()] == ["once", "another"]
        assert {seen.query.random_id for seen in calls(world)} == set(shop.sent)


async def test_a_connection_that_is_silent_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PING_SECONDS", 0.3)
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 2.0)
    async with telegram_world(tmp_path) as world:
        await people(world)
        await world.do("silence")
        await world.order("messages", **{"from": MEI, "to": SHOP, "text": "unheard"})
        await world.account(SHOP, "reconnecting")
        await world.do("silence", on=False)
        await world.inbox.until(lambda: "unheard" in world.texts(SHOP))
        await world.running(SHOP)
        assert world.texts(SHOP).count("unheard") == 1


async def test_a_difference_that_does_not_move_on_is_no_loop(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await people(world)
        world.user_platform.states.stuck = True
        await world.do("gap")
        await world.order("messages", **{"from": MEI, "to": SHOP, "text": "in the gap"})
        await world.do("too_long", phone=SHOP)
        before = len(calls(world, "updates.getDifference"))
        await world.api.until(
            lambda _: len(calls(world, "updates.getDifference")) > before, f"/v1/accounts/{world.ids[SHOP]}"
        )
        await trio.sleep(1)  # what would be a loop has no end to wait for
        assert len(calls(world, "updates.getDifference")) - before < 10
        world.user_platform.states.stuck = False
        await world.do("too_long", phone=SHOP)
        await world.inbox.until(lambda: "in the gap" in world.texts(SHOP), 60)
