"""Foreign clients of X's web application against our sandbox, and one against our connection."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.served import served
from tests.x_session_world import ANN, PASSCODE, x_session_world
from unifyport.sandbox.x.web.platform import XWebPlatform

from . import peers, x_peers
from .device_peers import Client, Failed, started

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
SHOP, MAI = "111", "9007199254740995"
PAIR, PAIR_OF_PATHS = f"{SHOP}:{MAI}", f"{SHOP}-{MAI}"


@attrs.define
class Web:
    platform: XWebPlatform
    twikit: Client

    async def do(self, word: str, **fields: Any) -> dict[str, Any]:
        return await self.platform.push({"do": word, **fields})


@contextlib.asynccontextmanager
async def web() -> AsyncIterator[Web]:
    """The sandbox, with twikit in a session of the shop."""
    program = str(peers.python(HERE / "python" / "twikit.in"))
    platform = XWebPlatform()
    async with served(platform) as at:
        command = [program, str(HERE / "python" / "twikit_peer.py"), at["web_url"], SHOP]
        async with started("twikit", command) as client:
            made = Web(platform, client)
            await client.ask("log_in", cookies=(await made.do("session", user=SHOP))["cookies"])
            yield made


async def test_twikit_sends_and_reads_history() -> None:
    async with web() as w:
        sent = await w.twikit.ask("send", to=MAI, text="Chào 👋 <b>&")
        assert w.platform.mail.sent[-1]["id"] == sent["id"]
        answer = await w.do("classic_write", to=SHOP, text="xin chào", **{"from": MAI})
        replied = await w.twikit.ask("send", to=MAI, text="a reply", reply_to=answer["message_id"])
        assert w.platform.mail.sent[-1]["reply_to_dm_id"] == answer["message_id"]
        photo = {"content": "aGVsbG8=", "mime_type": "image/jpeg"}
        await w.do("classic_write", to=SHOP, text="look", media=photo, **{"from": MAI})
        history = await w.twikit.ask("history", user=MAI)
        assert [each["id"] for each in history[1:]] == [replied["id"], answer["message_id"], sent["id"]]
        assert [each["from"] for each in history] == [MAI, SHOP, MAI, SHOP]
        assert history[0]["attachment"] == ["photo"]
        for number in range(25):
            await w.do("classic_write", to=SHOP, text=f"{number}", **{"from": MAI})
        newest = await w.twikit.ask("history", user=MAI)
        older = await w.twikit.ask("history", user=MAI, below=newest[-1]["id"])
        assert [each["text"] for each in newest + older][:25] == [str(n) for n in reversed(range(25))]
        assert len(newest) + len(older) == 29


async def test_twikit_writes_to_a_group() -> None:
    async with web() as w:
        group = (await w.do("classic_group", members=[SHOP, "333"], name="Ops", **{"from": MAI}))[
            "conversation_id"
        ]
        sent = await w.twikit.ask("send_to_group", group=group, text="all")
        assert [each["id"] for each in await w.twikit.ask("group_history", group=group)] == [sent["id"]]


async def test_twikit_is_refused() -> None:
    async with web() as w:
        await w.twikit.ask("send", to=MAI, text="one")
        refusals = {
            "Forbidden": lambda: w.twikit.ask("send", to="4031", text="refused"),
            "NotFound": lambda: w.twikit.ask("send", to="4041", text="nobody"),
        }
        for name, attempt in refusals.items():
            with pytest.raises(Failed, match=name):
                await attempt()
        cookies = await w.twikit.ask("cookies")
        await w.twikit.ask("log_in", cookies={**cookies, "ct0": "0" * 160})
        with pytest.raises(Failed, match="Forbidden"):
            await w.twikit.ask("send", to=MAI, text="of another page")
        await w.do("rotate_csrf", user=SHOP)  # twikit keeps the first of two tokens
        await w.twikit.ask("log_in", cookies=cookies)
        await w.twikit.ask("history", user=MAI)
        with pytest.raises(Failed, match="Forbidden"):
            await w.twikit.ask("history", user=MAI)
        await w.twikit.ask("log_in", cookies={**cookies, "ct0": cookies["ct0"][::-1]})
        for failure, name in (("locked", "AccountLocked"), ("suspended", "AccountSuspended"), ("", "")):
            await w.do("fail_session", user=SHOP, failure=failure)
            if name:
                with pytest.raises(Failed, match=name):
                    await w.twikit.ask("history", user=MAI)
        await w.do("end_session", user=SHOP)
        with pytest.raises(Failed, match="Unauthorized"):
            await w.twikit.ask("history", user=MAI)
        assert [each["text"] for each in w.platform.mail.sent] == ["one"]


# -- mautrix-twitter -----------------------------------------------------------------------------------------


@attrs.define
class Bridge:
    """`client`: that of mautrix-twitter, in a session of the shop."""

    platform: XWebPlatform
    client: Client

    async def do(self, word: str, **fields: Any) -> dict[str, Any]:
        return await self.platform.push({"do": word, **fields})

    def write(self, text: str, sender: str = MAI, to: str = SHOP) -> dict[str, Any]:
        return self.platform.receive({"from": sender, "to": to, "text": text})

    async def event(self, kind: str, part: str) -> Any:
        """The next event of this kind that has this part; what the client itself has sent is among them."""
        while part not in str(told := (await self.client.event(kind))["is"]):
            pass
        return told

    def told(self) -> list[Any]:
        """What the person could verify and decrypt."""
        return list(self.platform.people.told(MAI, PAIR))


@contextlib.asynccontextmanager
async def bridge() -> AsyncIterator[Bridge]:
    program = x_peers.mautrix()
    platform = XWebPlatform()
    async with served(platform) as at:
        made = await platform.push({"do": "session", "user": SHOP, "passcode": "4711"})
        cookies = "; ".join(f"{name}={value}" for name, value in made["cookies"].items())
        async with started("mautrix", [program, at["web_url"], at["chat_socket_url"], cookies]) as client:
            yield Bridge(platform, client)


async def test_mautrix_recovers_keys_from_our_realms_and_converses() -> None:
    async with bridge() as b:
        with pytest.raises(Failed):
            await b.client.ask("unlock", passcode="1111")
        assert (await b.client.ask("unlock", passcode="4711"))["same"] is True
        before = b.write("before it was connected")
        await b.client.ask("connect")
        assert (await b.client.event("caught_up"))["items"] == 1
        message = await b.event("Message", "before it was connected")
        assert message["sequence_id"] == before["sequence_id"]
        theirs = b.write("live 👋")
        await b.event("Message", "live 👋")
        sent = await b.client.ask("text", conversation=PAIR, text="from mautrix")
        await b.client.ask("react", conversation=PAIR, target=theirs["sequence_id"], emoji="👍")
        await b.client.ask("edit", conversation=PAIR, target=sent["sequence"], text="edited by mautrix")
        said = str(b.told())
        for part in ("from mautrix", "👍", "edited by mautrix"):
            assert part in said, said
        await b.do("react", message_id=sent["id"], emoji="🎉", **{"from": MAI})
        await b.event("MessageReactionCreate", "🎉")
        await b.do("edit", message_id=theirs["message_id"], text="better")
        await b.event("MessageEdit", "better")
        await b.do("rotate", to=SHOP, **{"from": MAI})
        b.write("under a new key")
        await b.event("Message", "under a new key")


async def test_mautrix_converses_with_our_connection(tmp_path: Path) -> None:
    program = x_peers.mautrix()
    async with x_session_world(tmp_path) as world:
        await world.link(SHOP)
        await world.write(ANN, SHOP, "a key for both")
        await world.told(SHOP, "a key for both")
        cookies = "; ".join(f"{name}={value}" for name, value in (await world.cookies(ANN)).items())
        at, pair = world.platform.sandbox.endpoints["x"], f"{SHOP}:{ANN}"
        async with started("mautrix", [program, at["web_url"], at["chat_socket_url"], cookies]) as client:
            ann = Bridge(world.x, client)
            await client.ask("unlock", passcode=PASSCODE)
            await client.ask("connect")
            await client.event("caught_up")
            theirs = await client.ask("text", conversation=pair, text="from mautrix")
            await world.told(SHOP, "from mautrix")
            assert world.received(SHOP)[-1]["message_id"] == theirs["id"]
            answer = {"reply_to": {"message_id": theirs["id"]}}
            ours = await world.sent_id(SHOP, ANN, "from UnifyPort", **answer)
            message = await ann.event("Message", "from UnifyPort")
            assert message["message_data"]["reply_data"]["text"] == "from mautrix"
            target = {"conversation": pair, "target": message["sequence_id"]}
            await client.ask("react", emoji="🎉", **target)
            reaction = await world.came(SHOP, "message.reaction")
            assert (reaction["target_message_id"], reaction["reaction"]) == (ours, "🎉")
            await client.ask("edit", conversation=pair, target=theirs["sequence"], text="better")
            assert (await world.came(SHOP, "message.updated"))["text"] == "better"
            it = {"conversation_id": ANN, "message_id": theirs["id"]}
            await world.act(SHOP, "reaction", emoji="👍", sender_id=ANN, **it)
            await ann.event("MessageReactionCreate", "👍")
            mine = {"conversation_id": ANN, "message_id": ours}
            await world.act(SHOP, "edit", content="edited", **mine)
            await ann.event("MessageEdit", "edited")
            await world.act(SHOP, "revoke", **mine)
            await ann.event("MessageDelete", "")
            read = {"conversation_id": ANN, "up_to_message_id": theirs["id"], "up_to_message_sender_id": ANN}
            await world.api.data("POST", f"/v1/accounts/{world.ids[SHOP]}/conversations/read", read)
            await ann.event("ConversationRead", SHOP)


async def test_mautrix_reads_and_sends_without_encryption() -> None:
    async with bridge() as b:
        first = await b.do("classic_write", to=SHOP, text="may I?", request=True, **{"from": MAI})
        [entry] = await b.client.ask("classic_inbox")
        assert (entry["kind"], entry["failed"]) == ("Message", False)
        assert entry["is"]["message_data"]["text"] == "may I?"
        await b.client.ask("classic_accept", conversation=PAIR_OF_PATHS)
        [entry] = await b.client.ask("classic", conversation=PAIR_OF_PATHS, text="you may")
        assert entry["is"]["request_id"]
        await b.client.ask("classic_read", conversation=PAIR_OF_PATHS, target=first["message_id"])
        react = {"message_id": entry["is"]["id"], "emoji": "👍", "from": MAI, "to": SHOP}
        await b.do("classic_react", **react)
        await b.do("classic_edit", **react, text="you may not")
        kinds = [each["kind"] for each in await b.client.ask("classic_updates")]
        assert sorted(kinds) == [
            "ConversationRead",
            "Message",
            "MessageEdit",
            "MessageReactionCreate",
            "TrustConversation",
        ]
        assert await b.client.ask("classic_updates") == []
