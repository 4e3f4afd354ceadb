"""The official SDK against a running gateway: each operation, once for each error status that the contract
declares for it.

argv: a JSON object with base_url, api_key, ca_file (or null), mode, orders, and account ids: everything (can
do everything), stopped (the same, but stopped), texts (can send text and little more), orphan (no connector
is there for it), declared (of the configuration file), fresh (not logged in yet), qr, code, session
(logged in, each by its way). One JSON line per call on stdout (`sdk_client.py`), with `wanted`, the status
that it is about.
"""

import asyncio
import json
import sys

import sdk_client
from unifyport._generated import OPERATIONS
from unifyport.errors import UnifyPortApiError

given = json.loads(sys.argv[1])
client = sdk_client.new_client(given)
stranger = sdk_client.new_client(given, "a_key_of_nobody_at_all_0000000000000000")

HUNDRED = "x" * 101
EVERYTHING, STOPPED, TEXTS, ORPHAN = (given[name] for name in ("everything", "stopped", "texts", "orphan"))
FRESH = given["fresh"]

# What is asked of a platform: (arguments that work, how they are wrong, an id of nothing).
CHAT, PERSON, GROUP = {"conversation_id": "chat-1"}, {"contact_id": "person-1"}, {"group_id": "group-1"}
NO_CHAT, NO_PERSON, NO_GROUP = (
    {"conversation_id": "chat-99"},
    {"contact_id": "person-99"},
    {"group_id": "group-99"},
)
QUERIES = {
    "listConversations": ({}, {"type": "pigeon"}, None),
    "getConversation": (CHAT, {"conversation_id": ""}, NO_CHAT),
    "listConversationMembers": (CHAT, {"type": "pigeon"}, NO_CHAT),
    "listConversationLabels": ({}, {"cursor": "made-up"}, None),
    "listContacts": ({}, {"updated_since": "yesterday"}, None),
    "getContact": (PERSON, {"contact_id": ""}, NO_PERSON),
    "listContactBlocklist": ({}, None, None),
    "listGroups": ({}, None, None),
    "getGroup": (GROUP, {"group_id": ""}, NO_GROUP),
    "listGroupJoinRequests": (GROUP, {"group_id": ""}, NO_GROUP),
    "getGroupInviteCode": (GROUP, {"group_id": ""}, NO_GROUP),
}
READ = {**CHAT, "up_to_message_id": "1", "up_to_message_sender_id": "2"}
LABEL = {"label_id": "label-1"}
BODIES = {
    "markConversationRead": (READ, {"up_to_message_sender_id": ""}, NO_CHAT),
    "markConversationUnread": (CHAT, {"conversation_id": ""}, NO_CHAT),
    "muteConversation": (CHAT, {"duration": -1}, NO_CHAT),
    "unmuteConversation": (CHAT, {"conversation_id": ""}, NO_CHAT),
    "pinConversation": (CHAT, {"conversation_id": ""}, NO_CHAT),
    "unpinConversation": (CHAT, {"conversation_id": ""}, NO_CHAT),
    "setConversationLabelMembers": (
        {**LABEL, "action": "add", "conversation_ids": ["chat-1"]},
        {"conversation_ids": []},
        None,
    ),
    "upsertConversationLabel": ({**LABEL, "name": "x"}, {"name": ""}, None),
    "deleteConversationLabel": (LABEL, {"label_id": ""}, None),
    "blockContact": (PERSON, {"contact_id": ""}, NO_PERSON),
    "unblockContact": (PERSON, {"contact_id": ""}, NO_PERSON),
    "setContactNote": ({**PERSON, "note": "x"}, {"note": "x" * 70_000}, NO_PERSON),
    "createGroup": ({"name": "x"}, {"name": HUNDRED}, None),
    "leaveGroup": (GROUP, {"group_id": ""}, NO_GROUP),
    "updateGroupMembers": ({**GROUP, "action": "add", "member_id": "person-2"}, {"action": "eat"}, NO_GROUP),
    "updateGroupInfo": ({**GROUP, "name": "x"}, {"name": HUNDRED}, NO_GROUP),
    "updateGroupJoinRequests": (
        {**GROUP, "action": "approve", "member_ids": ["person-4"]},
        {"member_ids": []},
        NO_GROUP,
    ),
    "setGroupJoinApprovalMode": ({**GROUP, "enabled": True}, {"enabled": "perhaps"}, NO_GROUP),
}
TARGET = {**CHAT, "message_id": "message-1"}
MESSAGE = {"to": {"id": "chat-1", "type": "user"}, "message": {"type": "text", "text": "x"}}
MESSAGES = {
    "sendMessage": (MESSAGE, {"message": {"type": "text"}}),
    "pinMessage": ({**TARGET, "pinned": True}, {"duration_seconds": -1}),
    "revokeMessage": (TARGET, {"message_id": ""}),
    "reactMessage": ({**TARGET, "emoji": "x"}, {"emoji": "x" * 100}),
    "editMessage": ({**TARGET, "content": "x"}, {"content": ""}),
}
NO_OBJECT = [1]  # where any object would do
HOOK = {"url": "https://hooks.example/x", "status": "active"}


async def tell(wanted, operation, by=client, **arguments):
    line = {"wanted": wanted, "operation": operation}
    try:
        result = await sdk_client.invoke(by, operation, **arguments)
        line |= {"status": result.status, "request_id": bool(result.request_id)}
    except UnifyPortApiError as error:
        line |= {"status": error.status, "code": error.code, "request_id": bool(error.request_id)}
    print(json.dumps(line), flush=True)


def platform_calls(account, *, wrong=False, nothing=False):
    """(operation, arguments) of everything that is asked of a platform."""
    for operation, (query, mistake, of_nothing) in QUERIES.items():
        change = mistake if wrong else of_nothing if nothing else {}
        if change is not None:
            yield operation, {"account_id": account, **query, **change}
    for operation, (body, mistake, of_nothing) in BODIES.items():
        change = mistake if wrong else of_nothing if nothing else {}
        if change is not None:
            yield operation, {"account_id": account, "body": {**body, **change}}
    for operation, (body, mistake) in MESSAGES.items():
        if not nothing:
            yield operation, {"body": {"account_id": account, **body, **(mistake if wrong else {})}}


def every_call(account):
    """(operation, arguments) of all 64, right in form."""
    yield from platform_calls(account)
    yield from (("getWorkspace", {}), ("updateWorkspace", {"body": {"name": "x", "status": "active"}}))
    yield from (("listApiKeys", {}), ("createApiKey", {"body": {"name": "x"}}))
    yield "updateApiKeyStatus", {"key_id": "ak_none", "body": {"status": "inactive"}}
    yield "rotateApiKey", {"key_id": "ak_none", "body": {"name": "x"}}
    yield "listProviderRegions", {"provider": "whatsapp"}
    yield "listAccounts", {}
    yield "createAccount", {"body": {"provider": "line", "region": "global", "auth_mode": "qrcode"}}
    of = {"account_id": account}
    yield from (("getAccount", of), ("deleteAccount", of))
    yield "updateAccount", {**of, "body": {"provider": "line", "region": "global"}}
    yield from ((operation, of) for operation in ("getAccountAuthState", *RUNTIME, *STEPS))
    yield "submitAccountAuthCode", {**of, "body": {"code": "1"}}
    yield "submitAccountAuthPassword", {**of, "body": {"password": "1"}}
    yield "importAccountAuthSession", {**of, "body": {"session_url": "https://x.example/s"}}
    yield from (("listWebhookEndpoints", {}), ("createWebhookEndpoint", {"body": HOOK}))
    endpoint = {"endpoint_id": "we_none"}
    yield "updateWebhookEndpoint", {**endpoint, "body": HOOK}
    yield from ((f"{verb}WebhookEndpoint", endpoint) for verb in ("get", "delete", "deactivate"))


RUNTIME = tuple(f"{verb}AccountRuntime" for verb in ("refresh", "start", "stop", "reconnect"))
STEPS = ("startAccountAuth", "startAccountQrAuth", "checkAccountQrAuth", "cancelAccountAuth")
GIVES = {
    "submitAccountAuthCode": {"code": "1"},
    "submitAccountAuthPassword": {"password": "1"},
    "importAccountAuthSession": {"session": "device-x"},
}


async def refused_as_wrong():
    for operation, arguments in platform_calls(EVERYTHING, wrong=True):
        await tell(400, operation, **arguments)
    await tell(400, "updateWorkspace", body={"name": "", "status": "active"})
    await tell(400, "createApiKey", body={"name": ""})
    await tell(400, "updateApiKeyStatus", key_id=given["declared_key"], body={"status": "inactive"})
    await tell(400, "rotateApiKey", key_id=given["declared_key"], body={"name": "x"})
    await tell(400, "listProviderRegions", provider="signal")
    new = {"provider": "line", "region": "global"}
    await tell(400, "createAccount", body={**new, "auth_mode": "code"})
    await tell(400, "updateAccount", account_id=FRESH, body={**new, "provider": "zalo"})
    for operation in (*STEPS, *RUNTIME):
        await tell(400, operation, account_id=FRESH, body=NO_OBJECT)
    await tell(400, "startAccountAuth", account_id=given["session"], body={})
    for operation, body in GIVES.items():
        await tell(400, operation, account_id=FRESH, body=body)
    await tell(400, "createWebhookEndpoint", body={**HOOK, "subscribed_events": ["nonsense"]})
    await tell(400, "updateWebhookEndpoint", endpoint_id=given["endpoint"], body=HOOK)
    await tell(400, "deleteWebhookEndpoint", endpoint_id=given["endpoint"])


async def in_conflict():
    for operation, arguments in platform_calls(STOPPED):
        await tell(409, operation, **arguments)
    phone = {
        "provider": "line",
        "region": "global",
        "auth_mode": "code",
        "provider_data": {"phone": given["phone"]},
    }
    await tell(409, "createAccount", body=phone)
    await tell(
        409, "updateAccount", account_id=given["declared"], body={"provider": "line", "region": "global"}
    )
    await tell(409, "deleteAccount", account_id=given["declared"])
    await tell(409, "startAccountAuth", account_id=given["code"])
    await tell(409, "startAccountQrAuth", account_id=given["qr"])
    await tell(409, "submitAccountAuthCode", account_id=given["code"], body={"code": "1"})
    await tell(409, "submitAccountAuthPassword", account_id=given["code"], body={"password": "1"})
    await tell(409, "importAccountAuthSession", account_id=given["session"], body={"session": "device-x"})
    for operation in ("startAccountRuntime", "reconnectAccountRuntime"):
        await tell(409, operation, account_id=FRESH)


async def main():
    called = set()
    for operation, arguments in every_call(EVERYTHING):
        called.add(operation)
        await tell(401, operation, by=stranger, **arguments)
    assert called == set(OPERATIONS), set(OPERATIONS) ^ called
    await refused_as_wrong()
    for operation, arguments in platform_calls(EVERYTHING, nothing=True):
        await tell(404, operation, **arguments)
    await in_conflict()
    for operation, arguments in platform_calls(TEXTS):
        if operation == "sendMessage":
            arguments["body"]["reply_to"] = {"reply_token": "x"}
        await tell(501, operation, **arguments)
    for operation, arguments in (
        *platform_calls(ORPHAN),
        *((o, {"account_id": ORPHAN}) for o in (*RUNTIME, *STEPS)),
    ):
        await tell(502, operation, **arguments)
    for operation, body in GIVES.items():
        await tell(502, operation, account_id=ORPHAN, body=body)
    sdk_client.order(given, "refuse")
    for operation, arguments in platform_calls(EVERYTHING):
        await tell(500, operation, **arguments)
    sdk_client.order(given, "accept")
    sdk_client.order(given, "lock")
    await tell(503, "createAccount", body={"provider": "line", "region": "global", "auth_mode": "qrcode"})
    sdk_client.order(given, "unlock")
    await sdk_client.invoke(client, "createApiKey", body={"name": "x"})  # keys leave the gateway's memory
    sdk_client.order(given, "damage")  # a table of the database is gone, which no handler expects
    for operation, arguments in every_call(EVERYTHING):
        if operation not in QUERIES and operation not in BODIES and operation not in MESSAGES:
            await tell(500, operation, **arguments)
    print(json.dumps({"end": True}), flush=True)


asyncio.run(main())
