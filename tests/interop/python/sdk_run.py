"""The official SDK against a running gateway: every operation succeeds, sync or async.

argv: a JSON object with base_url, api_key, ca_file (or null), mode, shop (an account that may send),
customer, token (of a bot to be made), hook, everything (an account that can do everything), file (a URL),
orders. One JSON line per call on stdout (`sdk_client.py`).
"""

import asyncio
import json
import sys
import time

import sdk_client
from unifyport.pagination import paginate_cursor, paginate_cursor_async

given = json.loads(sys.argv[1])
client = sdk_client.new_client(given)


async def call(operation, **arguments):
    return await sdk_client.call(client, operation, **arguments)


async def until(field, value, operation, **arguments):
    """Poll quietly until the account is where it shall be."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        result = await sdk_client.invoke(client, operation, **arguments)
        if result.data["data"].get(field) == value:
            return
        await asyncio.sleep(0.02)
    raise SystemExit(f"{operation}: {field} never became {value}")


async def through_pages(operation, **arguments):
    """A whole list by the SDK's own helper, two items a page; every page is judged as any other call."""
    seen, asynchronous = [], given["mode"] == "async"
    pages = [0]

    async def page(cursor):
        pages[0] += 1
        return await call(operation, cursor=cursor, limit=2, **arguments)

    if asynchronous:
        seen = [item async for item in paginate_cursor_async(page)]
    else:
        fetched = {}
        cursor = None
        while True:  # the sync helper takes no coroutine: it walks over what was fetched
            fetched[cursor] = await page(cursor)
            if not fetched[cursor]["has_more"]:
                break
            cursor = fetched[cursor]["next_cursor"]
        seen = list(paginate_cursor(fetched.__getitem__))
    line = {"operation": operation, "pages": pages[0], "items": len(seen), "request_id": True}
    print(json.dumps(line), flush=True)
    return seen


async def everything(account):
    """What no channel can do yet, on the reference connector."""
    of = {"account_id": account}
    chats = await through_pages("listConversations", **of)
    chat, group_chat = chats[0]["conversation_id"], chats[3]["conversation_id"]
    await call("listConversations", **of, type="user,group", label_id="label-1")
    await call("listConversations", **of, type="user,pigeon")
    await call("getConversation", **of, conversation_id=chat, type="user")
    await call("getConversation", **of, conversation_id="chat-99")
    await through_pages("listConversationMembers", **of, conversation_id=group_chat)
    up_to = {"up_to_message_id": "message-1", "up_to_message_sender_id": "person-1"}
    await call("markConversationRead", **of, body={"conversation_id": chat, **up_to})
    await call("markConversationRead", **of, body={"conversation_id": chat, "up_to_message_id": "message-1"})
    await call("muteConversation", **of, body={"conversation_id": chat, "duration": 3600})
    await call("muteConversation", **of, body={"conversation_id": chat, "duration": -1})
    for operation in (
        "markConversationUnread",
        "unmuteConversation",
        "pinConversation",
        "unpinConversation",
    ):
        await call(operation, **of, body={"conversation_id": chat})
        await call(operation, **of, body={"conversation_id": "chat-99"})
    label = await call("upsertConversationLabel", **of, body={"label_id": "", "name": "New"})
    members = {"label_id": label["id"], "action": "add", "conversation_ids": [chat]}
    await call("setConversationLabelMembers", **of, body=members)
    await call("listConversationLabels", **of, limit=50)
    await call("deleteConversationLabel", **of, body={"label_id": label["id"]})

    contacts = await through_pages("listContacts", **of)
    contact = {"contact_id": contacts[0]["id"]}
    await call("listContacts", **of, q="3", updated_since="2026-01-01T00:00:00Z")
    await call("getContact", **of, **contact)
    await call("getContact", **of, contact_id="person-99")
    await call("blockContact", **of, body=contact)
    await call("listContactBlocklist", **of)
    await call("unblockContact", **of, body=contact)
    await call("setContactNote", **of, body={**contact, "note": "prefers mail"})

    groups = await through_pages("listGroups", **of)
    group = {"group_id": groups[0]["id"]}
    await call("getGroup", **of, **group)
    await call("getGroup", **of, group_id="group-99")
    made = await call("createGroup", **of, body={"name": "New", "members": ["person-1"]})
    await call("updateGroupMembers", **of, body={**group, "action": "add", "member_id": "person-2"})
    await call("updateGroupInfo", **of, body={**group, "name": "Renamed"})
    await call("updateGroupInfo", **of, body={**group, "name": "a", "description": "b"})
    await call("listGroupJoinRequests", **of, **group)
    letting_in = {**group, "action": "approve", "member_ids": ["person-4"]}
    await call("updateGroupJoinRequests", **of, body=letting_in)
    await call("setGroupJoinApprovalMode", **of, body={**group, "enabled": True})
    await call("getGroupInviteCode", **of, **group)
    await call("leaveGroup", **of, body={"group_id": made["id"]})

    target = {**of, "conversation_id": chat, "message_id": "message-1"}
    await call("pinMessage", body={**target, "pinned": True, "duration_seconds": 604800})
    await call("reactMessage", body={**target, "sender_id": "person-1", "emoji": "👍"})
    await call("editMessage", body={**target, "content": "better"})
    await call("revokeMessage", body=target)
    await call("revokeMessage", body={**target, "message_id": "missing"})


async def logins():
    """Every way of getting in, on the reference connector."""
    new = {"provider": "line", "region": "global"}
    by_qr = (await call("createAccount", body={**new, "auth_mode": "qrcode"}))["id"]
    shown = await call("startAccountQrAuth", account_id=by_qr, body={})
    await call("checkAccountQrAuth", account_id=by_qr)
    sdk_client.order(given, "scan", qr=shown["auth_payload"]["qr_code"], phone=given["phone"])
    await until("status", "authorized", "checkAccountQrAuth", account_id=by_qr)
    await call("getAccountAuthState", account_id=by_qr)
    await until("runtime_status", "running", "getAccount", account_id=by_qr)
    await call("getAccount", account_id=by_qr)
    await call("cancelAccountAuth", account_id=by_qr)

    phone = {"phone": given["secretive"]}
    by_code = (await call("createAccount", body={**new, "auth_mode": "code", "provider_data": phone}))["id"]
    await call("startAccountAuth", account_id=by_code, body={})
    await call("submitAccountAuthCode", account_id=by_code, body={"code": "12345"})
    await call("submitAccountAuthPassword", account_id=by_code, body={"password": "hunter22"})
    await until("runtime_status", "running", "getAccount", account_id=by_code)
    await call("deleteAccount", account_id=by_code)

    by_session = (await call("createAccount", body={**new, "auth_mode": "session"}))["id"]
    url = sdk_client.order(given, "export", phone=given["phone"])["url"]
    await call("importAccountAuthSession", account_id=by_session, body={"session_url": url, "pin": "0000"})
    await until("runtime_status", "running", "getAccount", account_id=by_session)
    await call("deleteAccount", account_id=by_session)
    await call("deleteAccount", account_id=by_qr)


async def messages(account):
    """All seven types, and what goes with them."""
    to = {"account_id": account, "to": {"id": "chat-1", "type": "user"}}
    sent = await call("sendMessage", body={**to, "message": {"type": "text", "text": "x"}})
    for kind in ("image", "video", "audio", "document", "file"):
        message = {"type": kind, "url": given["file"], "caption": "look"}
        await call("sendMessage", body={**to, "message": message})
    card = {"name": "Mei", "phones": [{"number": "+6590000001", "type": "CELL"}]}
    await call("sendMessage", body={**to, "message": {"type": "contact", "contacts": [card]}})
    text = {"type": "text", "text": "hello {{@person-1}}"}
    reply = {"reply_to": {"reply_token": sent["reply_token"]}, "mentions": [{"id": "person-1"}]}
    await call("sendMessage", body={**to, "message": text, **reply})


async def main():
    workspace = await call("getWorkspace", x_request_id="order-42")
    await call(
        "updateWorkspace", body={"name": workspace["name"], "status": "active", "metadata": {"a": "b"}}
    )
    made = await call("createApiKey", body={"name": "sdk"})
    await call("listApiKeys")
    key = made["key"]["id"]
    await call("rotateApiKey", key_id=key, body={"name": "sdk 2"})
    await call("updateApiKeyStatus", key_id=key, body={"status": "inactive"})
    await call("listProviderRegions", provider="whatsapp")
    await call("listProviderRegions", provider="signal")

    request = {
        "provider": "telegram",
        "region": "global",
        "auth_mode": "token",
        "name": "made by the SDK",
        "metadata": {"nested": {"a": [1, None]}},
        "provider_data": {"token": given["token"]},
    }
    account = (await call("createAccount", body=request))["id"]
    await call("createAccount", body=request)
    await until("status", "authorized", "getAccountAuthState", account_id=account)
    await call("getAccount", account_id=account)
    await call("listAccounts")
    await call(
        "updateAccount", account_id=account, body={"provider": "telegram", "region": "global", "name": "b"}
    )
    for operation in ("startAccountAuth", "startAccountQrAuth", "checkAccountQrAuth"):
        await call(operation, account_id=account, body={})
    await call("submitAccountAuthCode", account_id=account, body={"code": "123456"})
    await call("submitAccountAuthPassword", account_id=account, body={"password": "x"})
    await call("importAccountAuthSession", account_id=account, body={"session_url": "https://x.example/s"})
    for operation in (
        "refreshAccountRuntime",
        "stopAccountRuntime",
        "startAccountRuntime",
        "reconnectAccountRuntime",
    ):
        await call(operation, account_id=account)
    await until("runtime_status", "running", "getAccount", account_id=account)
    await call("cancelAccountAuth", account_id=account, body={})
    await call("startAccountAuth", account_id=account, body={})
    await until("status", "authorized", "getAccountAuthState", account_id=account)
    await call("getAccountAuthState", account_id=account)

    sent = {"account_id": given["shop"], "to": {"id": given["customer"], "type": "user"}}
    await call("sendMessage", body={**sent, "message": {"type": "text", "text": "from the SDK"}})
    await call("sendMessage", body={**sent, "message": {"type": "text"}})
    await call("markConversationRead", account_id=given["shop"], body={"conversation_id": given["customer"]})
    await call("markConversationRead", account_id=account, body={"conversation_id": given["customer"]})
    await everything(given["everything"])
    await messages(given["everything"])
    await logins()

    hook = {"url": given["hook"], "status": "active", "subscribed_events": ["message.received"]}
    endpoint = (
        await call(
            "createWebhookEndpoint", body={**hook, "signing_secret": "s", "retry_policy": {"max_attempts": 0}}
        )
    )["id"]
    await call("createWebhookEndpoint", body={**hook, "subscribed_events": ["nonsense"]})
    await call("listWebhookEndpoints")
    await call("getWebhookEndpoint", endpoint_id=endpoint)
    await call("updateWebhookEndpoint", endpoint_id=endpoint, body={**hook, "subscribed_events": ["*"]})
    await call("deactivateWebhookEndpoint", endpoint_id=endpoint)
    await call("deleteWebhookEndpoint", endpoint_id=endpoint)
    await call("getWebhookEndpoint", endpoint_id=endpoint)
    await call("deleteAccount", account_id=account)
    await call("getAccount", account_id=account)
    print(json.dumps({"end": True}), flush=True)


asyncio.run(main())
