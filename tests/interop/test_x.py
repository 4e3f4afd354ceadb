"""X's own SDK (`xdk`): its client uses our sandbox, its models judge what our connector sends. And signatures
that Node makes.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trio
from quart import request

from tests.api.x_world import APP, ME, MEI, World, x_world
from tests.harness import sandbox
from tests.providers.test_x_pure import BODIES, CREDENTIALS, SECRET
from unifyport.providers.x.api.history import QUERY
from unifyport.providers.x.api.signature import SIGNATURE, answer_challenge, verify

from . import peers

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
# part of a path, with its method -> the SDK's model of the body
MODELS = {
    ("POST", "/with/"): "CreateDirectMessagesByParticipantIdRequest",
    ("POST", "/dm_conversations/"): "CreateDirectMessagesByConversationIdRequest",
    ("POST", "/dm_conversations"): "CreateDirectMessagesConversationRequest",
    ("POST", "/upload/initialize"): "InitializeMediaUploadRequest",
    ("POST", "/activity/subscriptions"): "CreateActivitySubscriptionRequest",
    ("PUT", "/activity/subscriptions/"): "UpdateActivitySubscriptionRequest",
    ("POST", "/webhooks"): "CreateWebhooksRequest",
}


def record(world: World, bodies: list[dict[str, Any]]) -> None:
    """Keep each JSON body that the sandbox gets, with the name of its model."""

    @world.x.app.before_request
    async def keep() -> None:
        body = await request.get_json(silent=True)
        for (method, part), model in MODELS.items():
            if isinstance(body, dict) and request.method == method and part in request.path:
                bodies.append({"model": model, "value": body})
                return


async def sent_by_our_connector(directory: Path) -> list[dict[str, Any]]:
    bodies: list[dict[str, Any]] = []
    async with x_world(directory, "") as world:
        record(world, bodies)
        for receive in ("poll", "webhook"):
            body = {"provider": "x", "receive": receive}
            data = {**APP, "refresh_token": f"refresh-{ME}-{receive}"}
            made = await world.api.data("POST", "/v1/accounts", {**body, "provider_data": data})
            world.id = made["id"]
            await world.api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{world.id}")
            if receive == "poll":
                await send_everything(world)
                await world.api("PATCH", f"/v1/accounts/{world.id}", {"status": "inactive"})
                await world.api("DELETE", f"/v1/accounts/{world.id}")
    return bodies


async def send_everything(world: World) -> None:
    assert (await world.send()).status_code == 200
    key = (await world.api("POST", "/v1/media", files={"file": ("a.png", b"png")})).json()["data"]["file_key"]
    assert (await world.send(message={"type": "image", "file_key": key, "text": "look"})).status_code == 200
    path = f"/v1/accounts/{world.id}/groups/create"
    await world.api.data("POST", path, {"name": "Welcome", "members": [MEI, "3333"]})
    group = world.x.sent()[-1]["conversation_id"]
    assert (await world.send(to=group, kind="group")).status_code == 200


async def test_the_sdk_uses_our_sandbox_and_judges_what_we_send(tmp_path: Path) -> None:
    bodies = await sent_by_our_connector(tmp_path)
    assert {each["model"] for each in bodies} == set(MODELS.values()) - {"UpdateActivitySubscriptionRequest"}
    file = tmp_path / "bodies.jsonl"
    lines = [*bodies, {"query": QUERY}]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    async with sandbox() as platform:
        x: Any = platform.sandbox.platforms["x"]
        base = platform.sandbox.endpoints["x"]["api_url"]
        program = str(peers.python(HERE / "python" / "xdk.in"))
        async with peers.Peer(program, str(HERE / "python" / "xdk_judge.py"), base, str(file)) as sdk:
            for _ in range(len(bodies) + len(QUERY)):
                said = await sdk.line(120)
                assert said["unknown"] == [], said
            assert (await sdk.line())["token"] == [
                "access_token",
                "expires_at",
                "expires_in",
                "refresh_token",
                "scope",
                "token_type",
            ]
            assert await sdk.line() == {"did": "refresh", "rotated": True}
            assert await sdk.line() == {"did": "me", "id": ME, "username": f"user{ME}"}
            assert await sdk.line() == {"did": "subscribe", "id": True, "unknown": []}
            assert (await sdk.line())["event_type"] == "dm.received"
            assert (await sdk.line())["did"] == "listening"
            while not x.open:
                await trio.sleep(0.01)  # a foreign process has no event to wait for
            x.messages.write(MEI, x.directory.pair(ME, MEI), {"text": "to the SDK"})
            assert await sdk.line() == {"did": "event", "event_type": "dm.received", "user": ME}
            assert await sdk.line() == {"did": "webhooks", "count": 0}
            sent = await sdk.line()
            assert (sent["conversation"], sent["id"]) == (f"{ME}-{MEI}", x.sent()[0]["id"])
            group = await sdk.line()
            assert group["conversation"] == x.sent()[1]["conversation_id"]
            events = await sdk.line()
            assert events["texts"] == ["all", "from the SDK", "to the SDK"]
            assert events["unknown"] == []
            assert await sdk.line() == {"did": "upload", "same": True}
            assert await sdk.line() == {"did": "unsubscribed", "deleted": True}


CHAT_MODELS = {
    ("POST", "/keys"): "AddConversationKeysRequest",
    ("POST", "/messages"): "SendChatMessageRequest",
    ("POST", "/messages/delete"): "DeleteChatMessagesRequest",
    ("POST", "/read"): "MarkChatConversationReadRequest",
    ("POST", "/conversations/group"): "CreateChatConversationRequest",
    ("POST", "/media/upload/initialize"): "ChatMediaUploadInitializeRequest",
    ("POST", "/finalize"): "ChatMediaUploadFinalizeRequest",
}


async def say_everything_encrypted(world: World) -> None:
    for person in (MEI, "3333"):
        world.x.people.enrol(person)
    path, target = f"/v1/accounts/{world.id}", {"account_id": world.id, "conversation_id": MEI}
    sent = (await world.send()).json()["data"]["message_id"]
    written = await world.write("hi", encrypted=True)
    await world.inbox.until(lambda: world.texts() == ["hi"])
    read = {"conversation_id": MEI, "message_id": written["message_id"]}
    await world.api.data("POST", f"{path}/conversations/read", read)
    await world.api.data("POST", "/v1/messages/revoke", {**target, "message_id": sent})
    await world.api.data("POST", f"{path}/groups/create", {"name": "Team", "members": [MEI, "3333"]})
    key = (await world.api("POST", "/v1/media", files={"file": ("a.png", b"png")})).json()["data"]["file_key"]
    assert (await world.send(message={"type": "image", "file_key": key})).status_code == 200


async def test_the_sdk_judges_what_we_send_to_encrypted_conversations(tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = []
    async with x_world(tmp_path, "") as world:

        @world.x.app.before_request
        async def keep() -> None:
            body = await request.get_json(silent=True)
            for (method, end), model in CHAT_MODELS.items():
                if isinstance(body, dict) and request.method == method and request.path.endswith(end):
                    bodies.append({"model": model, "value": body})
                    return

        keys = world.x.people.enrol(ME).exported()
        data = {**APP, "refresh_token": f"refresh-{ME}-seed", "chat_keys": keys}
        made = await world.api.data("POST", "/v1/accounts", {"provider": "x", "provider_data": data})
        world.id = made["id"]
        await world.connected()
        await say_everything_encrypted(world)
        assert {each["model"] for each in bodies} >= set(CHAT_MODELS.values())
        file = tmp_path / "bodies.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in bodies))
        program = str(peers.python(HERE / "python" / "xdk.in"))
        base = world.platform.sandbox.endpoints["x"]["api_url"]
        token = world.x.tokens.issue(ME, "dm.read dm.write")["access_token"]
        judge = str(HERE / "python" / "xdk_chat_judge.py")
        async with peers.Peer(program, judge, base, str(file), token, f"{ME}-{MEI}") as sdk:
            for _ in bodies:
                said = await sdk.line(120)
                assert said["unknown"] == [], said
            events = await sdk.line()
            assert events["count"] == 5
            assert f"{ME}-{MEI}" in (await sdk.line())["ids"]
            assert (await sdk.line())["id"].startswith("g")
            assert await sdk.line() == {"did": "read", "success": True}


NODE = """
const { createHmac } = require('node:crypto');
const chunks = [];
process.stdin.on('data', (chunk) => chunks.push(chunk));
process.stdin.on('end', () => {
  const digest = createHmac('sha256', process.argv[1]).update(Buffer.concat(chunks)).digest('base64');
  process.stdout.write('sha256=' + digest);
});
"""


def by_node(body: bytes) -> str:
    command = [peers.node_program(), "-e", NODE, SECRET]
    done = subprocess.run(command, input=body, capture_output=True, check=True, timeout=60)
    return done.stdout.decode()


@pytest.mark.parametrize("name", BODIES)
def test_a_signature_of_node_is_good(name: str) -> None:
    body = BODIES[name]
    assert verify(CREDENTIALS, {SIGNATURE: by_node(body)}, body)
    assert not verify(CREDENTIALS, {SIGNATURE: by_node(body + b" ")}, body)


@pytest.mark.parametrize("token", ["a1b2c3", "MTIzNDU2Nzg5MA=="])
def test_a_challenge_is_answered_as_node_would(token: str) -> None:
    answer = answer_challenge(CREDENTIALS, {"crc_token": token})
    assert answer is not None
    assert json.loads(answer) == {"response_token": by_node(token.encode())}
