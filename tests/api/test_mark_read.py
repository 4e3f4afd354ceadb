"""Marking as read on a platform that needs no message; `test_whatsapp.py` has one that does."""

from pathlib import Path

from tests.harness import gateway, settings_of
from tests.reference.serving import REGISTRY, declared, reference_platform


async def test_a_whole_conversation_is_marked_without_any_message(tmp_path: Path) -> None:
    async with reference_platform() as running:
        settings = settings_of(tmp_path, declared(running), registry=REGISTRY)
        async with gateway(settings, [*REGISTRY.channels.values()]) as api:
            [account] = await api.until(lambda all_: all_[0]["runtime_status"] == "running", "/v1/accounts")
            path = f"/v1/accounts/{account['id']}/conversations/read"
            whole = {"conversation_id": "chat-2"}
            one = {**whole, "up_to_message_id": "m-7", "up_to_message_sender_id": "person-1"}
            for body in (whole, one):
                assert await api.data("POST", path, body) == {"ok": True}
            unknown = await api("POST", path, {"conversation_id": "chat-99"})
            assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "conversation_not_found")
        marked = [arguments for method, arguments in running.platform.calls if method == "change_chat"]
        assert [(each["chat"], each["read_up_to"]) for each in marked] == [
            ("chat-2", None),
            ("chat-2", "m-7"),
            ("chat-99", None),
        ]
        assert running.platform.chats["chat-2"]["unread"] == 0
