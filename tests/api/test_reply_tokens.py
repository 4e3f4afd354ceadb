"""Reply tokens: they quote the message that they came with, in its conversation,
and are good for nothing else.
"""

from pathlib import Path
from typing import Any

from tests.api.test_capabilities import CHANNEL as TEXTS
from tests.api.test_whatsapp import OTHER, connected
from tests.harness import (
    CUSTOMER,
    NUMBER,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
    whatsapp,
)
from unifyport.links.reply_tokens import ReplyTokens
from unifyport.providers.registry import Registry, standard
from unifyport.storage.sealing import KeyRing


async def test_a_token_quotes_its_message_and_nothing_else(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp() + whatsapp("other", OTHER) + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            shop, other = await connected(api, platform, inbox, 2)
            written = await platform.whatsapp("messages", {"to": NUMBER, "from": CUSTOMER, "text": "hello"})
            await inbox.until(lambda: bool(inbox.of("message.received")))
            token = inbox.of("message.received")[0]["data"]["message"]["reply_token"]
            assert written["message_id"] not in token

            async def reply(account_id: str = shop["id"], to: str = f"+{CUSTOMER}", **more: Any) -> Any:
                message = {"type": "text", "text": "yes"}
                body = {"account_id": account_id, "to": {"id": to, "type": "user"}, "message": message}
                return await api("POST", "/v1/messages", body | more)

            first = await reply(reply_to={"reply_token": token})
            assert first.status_code == 200, first.text
            again = first.json()["data"]["reply_token"]
            assert (await reply(reply_to={"reply_token": again})).status_code == 200
            assert (await reply(provider_data={"reply_to": token})).status_code == 200
            assert (await reply(provider_data={"reply_to": {"reply_token": token}})).status_code == 200
            quoted = [message["context"]["message_id"] for message in await platform.sent("whatsapp")]
            sent = first.json()["data"]["message_id"]
            assert quoted == [written["message_id"], sent, written["message_id"], written["message_id"]]
            id_ = written["message_id"]
            for reply_to in (token, id_, {"message_id": id_}, {"message_id": "other", "reply_token": token}):
                assert (await reply(reply_to=reply_to)).status_code == 200
                assert (await reply(provider_data={"reply_to": reply_to})).status_code == 200
            quoted = [message["context"]["message_id"] for message in await platform.sent("whatsapp")]
            assert quoted[4:] == [id_] * 8

            altered = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
            for refused in (
                await reply(reply_to={"reply_token": altered}),
                await reply(reply_to=altered),
                await reply(provider_data={"reply_to": altered}),
                await reply(reply_to={"reply_token": token.removeprefix("r1.")}),
                await reply(reply_to={"reply_token": ""}),
                await reply(reply_to={"reply_token": token}, to="6590000099"),
                await reply(other["id"], reply_to={"reply_token": token}),
            ):
                assert refused.status_code == 400, refused.text
                assert refused.json()["error"]["code"] == "invalid_reply_token"
            for malformed in (
                {},
                "",
                {"message_id": ""},
                {"message_id": 0},
                {"message_id": True},
                -1,
                1.5,
                2**53,
                ["x"],
            ):
                for place in ({"reply_to": malformed}, {"provider_data": {"reply_to": malformed}}):
                    refused = await reply(**place)
                    assert (refused.status_code, refused.json()["error"]["code"]) == (
                        400,
                        "invalid_request",
                    ), place
            assert len(await platform.sent("whatsapp")) == 12


def test_a_channel_without_quotes_gives_no_tokens() -> None:
    ring = KeyRing([b"k" * 32])
    assert ReplyTokens(ring, Registry([TEXTS])).token("acct_1", TEXTS.name, "chat", "7") == ""
    assert ReplyTokens(ring, standard()).token("acct_1", "telegram", "chat", "7") != ""
