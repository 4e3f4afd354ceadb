"""Each kind of message of our sandbox, read by the models of libraries that this project did not write."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness import APP_SECRET, BOT, CUSTOMER, NUMBER, TOKEN, VERIFY_TOKEN, free_port, sandbox
from tests.providers.documentation import TELEGRAM, WHATSAPP
from tests.providers.test_telegram_kinds import CONTENT
from unifyport.providers.telegram.bot.content import ACCOMPANYING
from unifyport.providers.telegram.bot.services import SERVICES

from . import peers
from .test_whatsapp import listening

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent


async def test_aiogram_reads_every_kind_and_has_no_other() -> None:
    updates: list[tuple[str, str | None, dict[str, Any]]] = [
        ("message", field, {"message": {"text": None, field: TELEGRAM["message"][field]}})
        for field in (*CONTENT, *SERVICES)
    ]
    updates += [(kind, None, {kind: example}) for kind, example in TELEGRAM["update"].items()]
    script = str(HERE / "python" / "aiogram_kinds.py")
    async with sandbox() as platform:
        base = platform.sandbox.endpoints["telegram"]["bot_api_url"]
        async with peers.Peer(str(peers.python()), script, base, TOKEN, str(len(updates))) as bot:
            known = await bot.line(seconds=120)  # its models take their time to load
            assert known["version"] == TELEGRAM["version"]
            assert (
                set(known["message"])
                == set(TELEGRAM["message"])
                == set(CONTENT) | set(SERVICES) | ACCOMPANYING
            )
            assert set(known["update"]) == set(TELEGRAM["update"])
            for kind, field, update in updates:
                if field is not None:
                    fields = {name: value for name, value in update["message"].items() if value is not None}
                    chat = {"id": 7, "type": "private", "first_name": "Mei"}
                    await platform.post("messages", {"to": BOT, "from": 7, "chat": chat, **fields})
                else:
                    await platform.post("updates", {"to": BOT, "update": update})
                said = await bot.line()
                assert said["kind"] == kind
                if field is not None:
                    assert said["content"] == field


PYWA_TYPES = {
    "reaction": "Message",
    "button": "CallbackButton",
    "interactive": "CallbackSelection",
    "edit": "EditedMessage",
    "revoke": "DeletedMessage",
    "system": "PhoneNumberChange",
    "request_welcome": "Message",
}
PYWA_REPLIES = {
    "button_reply": "CallbackButton",
    "list_reply": "CallbackSelection",
    "nfm_reply": "FlowCompletion",
    "call_permission_reply": "CallPermissionUpdate",
}
PYWA_FIELDS = {
    "messages": "Message",
    "smb_message_echoes": "OutgoingMessage",
    "calls": "CallConnect",
    "user_preferences": "UserMarketingPreferences",
}


async def test_pywa_reads_every_kind() -> None:
    async with sandbox() as platform:
        port = free_port()
        script = str(HERE / "python" / "pywa_kinds.py")
        arguments = (NUMBER, APP_SECRET, VERIFY_TOKEN, str(port))
        async with peers.Peer(str(peers.python()), script, *arguments) as business:
            await listening(f"http://127.0.0.1:{port}/")
            await platform.connect(f"http://127.0.0.1:{port}/hook")

            async def told(field: str = "messages") -> Any:
                lines = [await business.line(), await business.line()]
                assert {"field": field} in lines
                [update] = [line for line in lines if "update" in line]
                return update

            for kind, example in WHATSAPP["message"].items():
                await platform.whatsapp("messages", {"from": CUSTOMER, "type": kind, **example})
                update = await told()
                assert update["update"] == PYWA_TYPES.get(kind, "Message"), kind
            for kind, expected in PYWA_REPLIES.items():
                order = {
                    "from": CUSTOMER,
                    "type": "interactive",
                    "interactive": WHATSAPP["interactive"][kind],
                }
                await platform.whatsapp("messages", {**order, "context": {"from": "1", "id": "wamid.q"}})
                assert (await told())["update"] == expected
            for field, expected in PYWA_FIELDS.items():
                await platform.whatsapp("updates", {"field": field, "value": WHATSAPP["field"][field]})
                assert (await told(field))["update"] == expected
