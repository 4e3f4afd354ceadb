"""Behaviours of a device of LINE that no other test of the channel shows."""

import base64
from pathlib import Path

import pytest
import trio

from tests.line_device_world import MEI, SHOP, TOM, line_device_world
from tests.linked_world import QUICK
from tests.parity.disk import SlowDisk
from unifyport.providers.line.device import gateway, media
from unifyport.providers.line.device.kinds import CHAT_EVENT, KINDS
from unifyport.sandbox.line.device.world import mid_of

KICKED = 133
PREVIOUS = "getPreviousMessagesV2WithRequest"
CHANNEL = {"channel_id": "1234567890", "channel_secret": "a" * 32}


def _kept(directory: Path) -> list[Path]:
    """The files of the gateway's cache that are complete."""
    found = directory.rglob("acct_*/*")
    return [path for path in found if path.is_file() and path.suffix != ".part"]


def test_every_documented_kind_has_a_row() -> None:
    """`ContentType` of line.thrift in https://github.com/evex-dev/linejs has the members 0 to 22."""
    assert {*KINDS, CHAT_EVENT} == set(range(23))


async def test_a_user_and_a_channel_are_two_accounts(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        linked = await world.link(SHOP)
        body = {"provider": "line", "auth_mode": "token", "provider_data": CHANNEL}
        made = await world.api.data("POST", "/v1/accounts", body)
        assert made["id"] != linked
        await world.api.until(
            lambda found: found["runtime_status"] == "running", f"/v1/accounts/{made['id']}"
        )
        await world.says(MEI, SHOP, "hello")
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello"])


async def test_refreshes_at_once_are_one(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        for name in (MEI, TOM):
            await world.do("account", name=name)
            await world.sends(SHOP, name, "before")
        await world.do("expire_token", name=SHOP)
        async with trio.open_nursery() as nursery:
            for name in (MEI, TOM):
                nursery.start_soon(world.sends, SHOP, name, "at once")
        assert [call["method"] for call in world.line.connections].count("refresh") == 1


async def test_a_refresh_whose_answer_is_lost_does_not_lock_out(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.order("faults", kind="lost_answer", method="refresh")
        await world.do("expire_token", name=SHOP)
        await world.says(MEI, SHOP, "still there?")
        await world.inbox.until(lambda: world.texts(SHOP))
        await world.sends(SHOP, MEI, "yes")
        assert [call["method"] for call in world.line.connections].count("refresh") == 2


async def test_a_batch_of_several_pages_keeps_its_order(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/stop")
        texts = [f"message {number}" for number in range(150)]
        for text in texts:
            await world.says(MEI, SHOP, text)
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/start")
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 150)
        assert world.texts(SHOP) == texts


async def test_receipts_out_of_order_are_told_as_they_come(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        ids = [await world.sends(SHOP, MEI, text) for text in ("one", "two")]
        for id_ in reversed(ids):
            await world.order("receipts", **{"from": MEI, "message_id": id_})
        await world.inbox.until(lambda: len(world.received(SHOP, "message.read")) == 2)
        assert [event["message_id"] for event in world.received(SHOP, "message.read")] == [ids[1], ids[0]]


async def test_what_cannot_be_read_costs_itself_only(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("operation", name=SHOP, type=26)
        await world.do("operation", name=SHOP, type=55, param1="not an id!")
        await world.do("operation", name=SHOP, type=140, param1="1", param2="[" * 5000)
        await world.says(MEI, SHOP, "here")
        await world.inbox.until(lambda: world.texts(SHOP) == ["here"])
        held = await world.api.data("GET", "/v1/quarantine")
        assert len(held) == 3


async def test_a_kind_that_nobody_knows(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.says(MEI, SHOP, "", content_type=99)
        await world.do("operation", name=SHOP, type=999, param1=mid_of(MEI))
        await world.inbox.until(lambda: world.received(SHOP) and world.named(SHOP, "operation_999"))
        [event] = world.received(SHOP)
        assert event["message_type"] == "unknown"
        assert event["text"].startswith("[")


async def test_what_was_before_the_login_is_not_told(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.do("account", name=SHOP)
        await world.says(MEI, SHOP, "long ago")
        await world.link(SHOP)
        await world.says(MEI, SHOP, "now")
        await world.inbox.until(lambda: world.texts(SHOP))
        assert world.texts(SHOP) == ["now"]


async def test_what_cannot_be_sent(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        long = await world.send(SHOP, MEI, "x" * 10_001)
        assert long.json()["error"]["reason"] == "text_too_long", long.text
        assert "sendMessage" not in [call["method"] for call in world.line.connections]
        unknown = await world.send(SHOP, "someone who is not there")
        assert unknown.json()["error"]["reason"] == "not_found", unknown.text
        assert not await world.sent()


async def test_too_many_requests(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.sends(SHOP, MEI, "before")
        await world.order("faults", kind="rate_limit", value=40, method="sendMessage")
        answer = await world.send(SHOP, MEI)
        assert answer.status_code == 429
        assert answer.json()["error"]["outcome"] == "not_sent"
        assert int(answer.headers["retry-after"]) > 30
        assert (await world.send(SHOP, MEI)).status_code == 429
        assert len(await world.sent()) == 1


async def test_failures_of_the_platform(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        for kind in ("error_500", "garbage"):
            await world.order("faults", kind=kind, method="sendMessage")
            failed = await world.send(SHOP, MEI)
            assert failed.json()["error"]["outcome"] == "unknown", failed.text
        await world.sends(SHOP, MEI, "after")


async def test_no_answer_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.sends(SHOP, MEI, "before")
        call = gateway.Gateway.call
        monkeypatch.setattr(call, "__kwdefaults__", {**(call.__kwdefaults__ or {}), "timeout": 0.3})
        monkeypatch.setattr("unifyport.providers.line.device.talk.CALL_SECONDS", 0.3)
        await world.order("faults", kind="delay", value=3, method="sendMessage")
        answer = await world.send(SHOP, MEI)
        assert answer.json()["error"]["outcome"] == "unknown", answer.text


async def test_we_are_removed_from_a_group(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        group = (await world.do("group", subject="Ops", names=[MEI, SHOP]))["id"]
        about = {"param1": group, "param2": mid_of(MEI), "param3": mid_of(SHOP)}
        await world.do("operation", name=SHOP, type=KICKED, **about)
        await world.inbox.until(lambda: world.received(SHOP, "group.updated"))
        [event] = world.received(SHOP, "group.updated")
        assert event["data"]["changes"] == [{"kind": "member_removed", "member_ids": [mid_of(SHOP)]}]


async def test_two_accounts_in_one_group(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        for name in (SHOP, TOM):
            await world.link(name)
        group = (await world.do("group", subject="Ops", names=[MEI, SHOP, TOM]))["id"]
        await world.says(MEI, "", "hello", group=group)
        await world.inbox.until(lambda: world.texts(SHOP) == world.texts(TOM) == ["hello"])


async def test_a_file_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "WAITS", (0.01,))
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        content = bytes(range(256)) * 30
        order = {"type": "file", "content": base64.b64encode(content).decode()}
        await world.order("messages", **{"from": MEI, "to": SHOP, "media": order})
        await world.inbox.until(lambda: world.received(SHOP))
        [file] = world.received(SHOP)[0]["data"]["message"]["attachments"]
        world.line.objects.files.clear()
        assert (await world.api.http.get(file["url"])).status_code == 410


async def test_a_file_is_fetched_on_receipt(tmp_path: Path) -> None:
    async with line_device_world(tmp_path, more='[media]\nfetch = "on_receive"\n') as world:
        await world.link(SHOP)
        content = bytes(range(256)) * 30
        order = {"type": "image", "content": base64.b64encode(content).decode()}
        await world.order("messages", **{"from": MEI, "to": SHOP, "media": order})
        await world.inbox.until(lambda: world.received(SHOP))
        await world.api.until(lambda _: bool(_kept(tmp_path)), "/v1/accounts")
        world.line.objects.files.clear()
        [file] = world.received(SHOP)[0]["data"]["message"]["attachments"]
        assert (await world.api.http.get(file["url"])).content == content


async def test_while_the_store_is_slow_the_revision_does_not_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.says(MEI, SHOP, "first")
        await world.inbox.until(lambda: world.texts(SHOP) == ["first"])
        disk.stall()
        try:
            await world.says(MEI, SHOP, "second")
            await trio.sleep(0.3)  # nothing happens, so there is nothing to wait for
            assert world.texts(SHOP) == ["first"]
        finally:
            disk.go_on()
        await world.inbox.until(lambda: world.texts(SHOP) == ["first", "second"])


async def test_pages_that_do_not_move_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with line_device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/stop")
        for number in range(30):
            await world.says(MEI, SHOP, f"message {number}")
        await world.do("lose_operations", name=SHOP)
        calls, newest = world.line.talk.calls, tuple(world.line.world.messages.values())[:-21:-1]
        asked: list[object] = []

        def answer(device: object, arguments: object) -> object:
            asked.append(arguments)
            return newest

        monkeypatch.setitem(calls, PREVIOUS, answer)
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/start")
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 20)
        await world.says(MEI, SHOP, "end")
        await world.inbox.until(lambda: world.texts(SHOP)[-1] == "end")
        assert len(asked) == 1


async def test_a_silent_connection_comes_back(tmp_path: Path) -> None:
    policy = QUICK + 'probe = { interval = "300ms", timeout = "200ms", failures = 2 }\n'
    async with line_device_world(tmp_path, policy=policy) as world:
        id_ = await world.link(SHOP)
        await world.order("faults", kind="delay", value=60, count=2, method="getLastOpRevision")
        await world.api.until(lambda found: found["runtime_status"] != "running", f"/v1/accounts/{id_}")
        await world.running(SHOP)
        await world.says(MEI, SHOP, "back")
        await world.inbox.until(lambda: world.texts(SHOP) == ["back"])


async def test_what_the_capability_list_says(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        listed = await world.api.data("GET", "/v1/capabilities")
        [found] = [each for each in listed if each["provider"] == "line"]
        [device] = [each for each in found["connections"] if each["auth_mode"] == "qrcode"]
        assert device["inbound"] == "replayable"
        assert device["receipts"] == ["sent", "read"]
        assert device["can_start_conversation"] is True
        assert "window_hours" not in device
        assert {
            *("send_text", "send_image", "send_audio", "send_contacts", "send_reply", "mark_read"),
            *("revoke_message", "react_to_message", "download_media", "list_contacts", "list_groups"),
            *("get_group", "block_contact", "list_blocklist", "get_conversation"),
        } <= {*device["capabilities"]}
        assert not {"edit_message", "show_typing", "create_group"} & {*device["capabilities"]}
