"""What a hostile or broken platform or sender can do to a personal account of Zalo: it costs the one action,
the frame, or the connection, never the messages around it.
"""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

from tests.zalo_world import MAI, SHOP, TAM, ZaloWorld, zalo_world
from unifyport.protocols.zalo_frames import Command


def message(**fields: Any) -> dict[str, Any]:
    return {
        "msgId": "8100000000001",
        "cliMsgId": "1780000000001",
        "msgType": "webchat",
        "uidFrom": MAI,
        "idTo": "0",
        "dName": "Mai",
        "ts": "1780000000001",
        "content": "good",
        **fields,
    }


def zlib_bomb() -> str:
    packed = zlib.compress(b" " * (20 << 20))
    return json.dumps({"encrypt": 1, "data": base64.b64encode(packed).decode()})


BODIES = {  # of a frame, as they are
    "nothing": "",
    "no JSON": "{",
    "no object": "[]",
    "no data": '{"encrypt":2}',
    "an unknown mode": '{"encrypt":9,"data":"x"}',
    "no base64": '{"encrypt":2,"data":"%%%"}',
    "a short payload": '{"encrypt":2,"data":"AAAA"}',
    "a wrong key": json.dumps({"encrypt": 2, "data": base64.b64encode(bytes(80)).decode()}),
    "a bomb": zlib_bomb(),
    "nested without end": '{"encrypt":0,"data":' + "[" * 100_000 + "]" * 100_000 + "}",
}
TEXTS = {  # of a payload
    "noise": "noise",
    "a list": "[]",
    "data of text": '{"error_code":0,"data":"{"}',
    "a number instead of a list": '{"data":{"msgs":7}}',
    "nested without end": '{"data":{"msgs":' + "[" * 100_000 + "]" * 100_000 + "}}",
    "a float that is no number": '{"data":{"msgs":[{"msgId":1e999}]}}',
}
ITEMS: dict[str, Any] = {  # of the list `msgs`, beside a good one
    "a text": "noise",
    "a number": 7,
    "null": None,
    "an empty object": {},
    "no sender": {"msgId": "1", "content": "x"},
    "a sender that is a float": message(uidFrom=1.5),
    "an id that is an object": message(msgId={"a": 1}),
    "an id of 10,000 digits": message(msgId="1" * 10_000),
    "content that is a list": message(msgId="8100000000002", cliMsgId="2", content=[1, 2]),
    "content with odd params": message(
        msgId="8100000000003", cliMsgId="3", msgType="chat.photo", content={"href": 7, "params": "{"}
    ),
    "an unknown kind": message(msgId="8100000000004", cliMsgId="4", msgType="chat.surprise", content={}),
    "odd mentions and quote": message(
        msgId="8100000000005", cliMsgId="5", mentions=[{"uid": [], "pos": -1}], quote="quote"
    ),
    "a message and a sender of long ids": message(msgId="1" * 200, uidFrom="2" * 200, cliMsgId="7"),
    "ids that are no ASCII": message(msgId="\U0001f600" * 100, cliMsgId="\U0001f600" * 200),
    "a long kind": message(msgId="8100000000007", cliMsgId="8", msgType="x" * 300_000),
    "a time of no year": message(msgId="8100000000008", cliMsgId="9", ts="9" * 15),
    "an undo of nothing": message(msgId="8100000000006", cliMsgId="6", content={"deleteMsg": 1}),
}


async def beaten(world: ZaloWorld) -> None:
    """The account lives, on the connection that it had, and gets what is written then."""
    id_ = await world.write(TAM, SHOP, "still there")
    await world.inbox.until(lambda: "still there" in world.texts(SHOP))
    assert [event["message_id"] for event in world.received(SHOP) if event["text"] == "still there"] == [id_]
    [session] = world.zalo.world.users[SHOP].sessions
    assert session.logins == 2  # one proves the session, the other one connects


async def test_frames_that_cannot_be_read(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        for command in (Command.USER_MESSAGES, Command.CONTROLS, Command.REACTIONS, 9999, Command.KEY):
            for body in BODIES.values():
                sub_command = int(command == Command.KEY)
                await world.do("frame", user=SHOP, command=int(command), sub_command=sub_command, body=body)
        for command in (
            Command.USER_MESSAGES,
            Command.GROUP_MESSAGES,
            Command.CONTROLS,
            Command.USER_RECEIPTS,
        ):
            for text in TEXTS.values():
                await world.do("frame", user=SHOP, command=int(command), text=text)
        await beaten(world)


async def test_one_odd_message_costs_no_other_of_its_frame(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI, TAM)
        for number, odd in enumerate(ITEMS.values()):
            good = message(msgId=f"82{number:08}", cliMsgId=f"178{number:08}", content=f"good {number}")
            await world.do("frame", user=SHOP, command=501, data={"msgs": [odd, good]})
        wanted = [f"good {number}" for number in range(len(ITEMS))]
        await world.inbox.until(lambda: set(wanted) <= set(world.texts(SHOP)))
        assert [text for text in world.texts(SHOP) if text.startswith("good ")] == wanted
        await beaten(world)


async def test_odd_actions(tmp_path: Path) -> None:
    odd: list[Any] = [
        None,
        7,
        "noise",
        {},
        {"content": {}},
        {"content": {"act_type": "group", "act": "join"}},
    ]
    odd += [
        {"content": {"act_type": "fr", "act": "add", "data": {"fromUid": []}}},
        {"content": {"act_type": "file_done"}},
        {"uidFrom": MAI, "idTo": "0", "content": '{"rMsg":[],"rIcon":7}'},
        {"msgId": {}, "deliveredUids": "x"},
        {"act_type": "typing", "act": "typing", "data": '"uid":'},
    ]
    commands = {"controls": 601, "reacts": 612, "actions": 602, "delivereds": 502, "groupSeens": 522}
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        for name, command in commands.items():
            await world.do("frame", user=SHOP, command=command, data={name: odd})
        await beaten(world)


async def test_ids_above_2_53_stay_exact(tmp_path: Path) -> None:
    quote = {"ownerId": 9007199254740993, "globalMsgId": 9007199254740995, "cliMsgId": 9007199254740997}
    odd = message(msgId=9007199254740999, cliMsgId=9007199254741001, uidFrom=int(MAI), quote=quote)
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("frame", user=SHOP, command=501, data={"msgs": [odd]})
        await world.inbox.until(lambda: world.received(SHOP))
        [event] = world.received(SHOP)
        assert (event["message_id"], event["from"]) == ("9007199254740999", MAI)
        assert event["data"]["message"]["reply_to_message_id"] == "9007199254740995"


async def test_a_person_cannot_speak_for_the_platform(tmp_path: Path) -> None:
    """What a person writes is a text, also where it looks like an undone message or a control."""
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        kept = await world.write(MAI, SHOP, "stays")
        forged = [
            json.dumps({"globalMsgId": int(kept), "cliMsgId": 1, "deleteMsg": 1, "srcId": 1, "destId": 1}),
            json.dumps({"content": {"act_type": "group", "act": "leave", "data": {"groupId": "1"}}}),
            '{"title":"x","href":"http://127.0.0.1:1/secret","params":"{}"}',
        ]
        for text in forged:
            await world.write(MAI, SHOP, text)
        await world.inbox.until(lambda: world.texts(SHOP) == ["stays", *forged])
        await beaten(world)
        assert world.received(SHOP, "message.deleted") == []
        assert world.received(SHOP, "group.updated") == []
