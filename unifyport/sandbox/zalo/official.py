"""Zalo's Official Account API, played on loopback (https://docs.zaloplatforms.com/docs/OA).

Every account exists. Its refresh tokens `sandbox-<oa id>-<anything>` serve once, as on the platform; what an
account answers with is HTTP 200 and `error`. An account can write to customers who wrote within seven days.
The webhook of an app is called, signed, with every event of its accounts, also with what they send.
"""

import time
import unicodedata
from collections.abc import Callable
from typing import Any

import msgspec
import trio
from quart import Response, request

from unifyport.providers.zalo.official.limits import MAX_GIF, MAX_PICTURE, MAX_TEXT, WINDOW_HOURS
from unifyport.providers.zalo.official.signature import SIGNATURE, sign

from ..callbacks import Callbacks, Delivery
from ..http import as_json, http
from .groups import GROUP_CALLS, Group, OfficialError
from .state import Account, App
from .tokens import OA, TokenEndpoint

_KINDS = ("image", "gif", "audio", "video", "sticker", "file")
_UPLOADS = {"image": MAX_PICTURE, "gif": MAX_GIF, "file": MAX_GIF}
_DAY = 86_400.0


class ZaloOfficialPlatform(TokenEndpoint):
    """The platform's state, its application, and the customers' side for the control port."""

    name = "zalo-official"

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, Account] = {}
        self.uploads: dict[str, bytes] = {}
        self.callbacks = Callbacks()
        self.protocols = [http(self.app, "openapi", ("openapi_url", "oauth_url"))]
        add = self.app.add_url_rule
        add("/<version>/oa/<path:path>", "call", self._call, methods=["GET", "POST"])

    def endpoints(self, addresses: dict[str, str]) -> dict[str, str]:
        self.base_url = addresses["openapi"]
        return {**super().endpoints(addresses), "media_hosts": "127.0.0.1"}

    async def run(self) -> None:
        await self.callbacks.run()

    def rate_limited(self, seconds: int) -> Response:
        return _refuse(OfficialError(-32, "Your application reached limit call api"))

    def failed(self) -> Response:
        return as_json({"error": -200, "message": "Internal error"}, 500)

    # -- the API ---------------------------------------------------------------------------------------------

    async def _call(self, version: str, path: str) -> Response:
        body: Any = None
        if request.mimetype == "application/json":
            body = await request.get_json(silent=True)
        elif request.mimetype == "multipart/form-data":
            file = (await request.files).get("file")
            body = None if file is None else file.stream.read()

        async def handle() -> Response:
            await trio.lowlevel.checkpoint()
            try:
                account = self._authorize(path)
                return as_json({"error": 0, "message": "Success", "data": self._handle(account, path, body)})
            except OfficialError as error:
                return _refuse(error)

        return await self.answer("", path, handle)

    def _authorize(self, path: str) -> Account:
        token = request.headers.get("access_token", "")
        account, expires = self.access_tokens.get(token, ("", 0.0))
        if self.faults.next(path, "logout") is not None:
            for known in (self.access_tokens, self.refresh_tokens):
                known.clear()
            self.spent |= {*self.refreshes}
            account = ""
        if not account:
            raise OfficialError(-216, "Access token is invalid")
        if trio.current_time() >= expires:
            raise OfficialError(-220, "Access token has expired")
        return self._account(account)

    def _handle(self, account: Account, path: str, body: Any) -> Any:
        kind = path.removeprefix("upload/")
        if kind in _UPLOADS and path != kind:
            return self._upload(kind, body)
        told = body if isinstance(body, dict) else msgspec.json.decode(request.args.get("data", "{}"))
        if path in GROUP_CALLS:
            return GROUP_CALLS[path](account.groups, {**request.args.to_dict(), **told})
        if path in _CALLS:
            return _CALLS[path](self, account, told)
        raise OfficialError(-200, f"there is no {path} here")

    def _get_account(self, account: Account, told: dict[str, Any]) -> dict[str, Any]:
        return {
            "oa_id": account.id,
            "name": f"Shop {account.id}",
            "avatar": "https://s160-ava-talk.zadn.vn/a",
        }

    def _upload(self, kind: str, content: Any) -> dict[str, Any]:
        if not isinstance(content, bytes) or not 0 < len(content) <= _UPLOADS[kind]:
            raise OfficialError(-201, "file is invalid")
        name = f"upload-{next(self._ids)}"
        self.uploads[name] = content
        return {"token": name} if kind == "file" else {"attachment_id": name}

    def _user(self, account: Account, told: dict[str, Any]) -> dict[str, Any]:
        user = str(told.get("user_id", ""))
        if user not in account.seen:
            raise OfficialError(-213, "User has not followed OA")
        return {"user_id": user, "display_name": f"Customer {user}", "avatar": "", "user_is_follower": True}

    def _message(self, account: Account, told: dict[str, Any]) -> dict[str, Any]:
        recipient, message = told.get("recipient", {}), told.get("message", {})
        text = str(message.get("text", ""))
        if len(unicodedata.normalize("NFC", text)) > MAX_TEXT or not (text or message.get("attachment")):
            raise OfficialError(-201, "message is invalid")
        file = _file_of(message.get("attachment"))
        if file and file not in self.uploads:
            raise OfficialError(-100, "attachment is expired")
        user = self._recipient(account, recipient)
        message_id = self._message_id()
        account.sent.append({**told, "message_id": message_id, "at": time.time()})
        self._echo(account, recipient, {"msg_id": message_id, **message})
        return {"message_id": message_id, **user, "sent_time": str(int(time.time() * 1000))}

    def _recipient(self, account: Account, recipient: dict[str, Any]) -> dict[str, str]:
        if "group_id" in recipient:
            if recipient["group_id"] not in account.groups:
                raise OfficialError(-201, "group_id is invalid")
            return {"group_id": recipient["group_id"]}
        if "anonymous_id" in recipient:
            if recipient.get("conversation_id") not in account.anonymous:
                raise OfficialError(-201, "conversation_id is invalid")
            return {"anonymous_id": recipient["anonymous_id"]}
        user = str(recipient.get("user_id", ""))
        if user not in account.seen:
            raise OfficialError(-213, "User has not followed OA")
        if time.time() - account.seen[user] > WINDOW_HOURS * 3600:
            raise OfficialError(-230, "User has not interacted with OA in past 7 days")
        return {"user_id": user}

    def _message_v2(self, account: Account, told: dict[str, Any]) -> dict[str, Any]:
        """A message to a customer who has not logged in, or a reaction."""
        action = told.get("sender_action")
        if action is None:
            return self._message(account, told)
        self._recipient(account, told.get("recipient", {}))
        account.sent.append({**told, "at": time.time()})
        return {}

    def _tags(self, account: Account, told: dict[str, Any]) -> list[str]:
        return [*account.tags]

    def _tag(self, account: Account, told: dict[str, Any]) -> dict[str, Any]:
        account.tags.setdefault(told["tag_name"], set()).add(told["user_id"])
        return {}

    def _untag(self, account: Account, told: dict[str, Any]) -> dict[str, Any]:
        account.tags.get(told["tag_name"], set()).discard(told["user_id"])
        return {}

    def _remove_tag(self, account: Account, told: dict[str, Any]) -> dict[str, Any]:
        if account.tags.pop(told["tag_name"], None) is None:
            raise OfficialError(-201, "tag_name is invalid")
        return {}

    # -- the customers' side ---------------------------------------------------------------------------------

    def connect(self, order: dict[str, Any]) -> dict[str, Any]:
        """Set up an app as in its settings: `{callback_url, app_id, oa_secret, oa_ids, signed_with}`."""
        for name in ("callback_url", "app_id", "oa_secret"):
            if not isinstance(order.get(name), str) or not order[name]:
                raise ValueError(f"{name}: is required")
        known = App(
            order["app_id"], order["callback_url"], order["oa_secret"], order.get("signed_with", "app")
        )
        for oa in order.get("oa_ids", [OA]):
            self._account(str(oa)).app = known
        return {"ok": True}

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A customer writes `{to, from, text, ...}`: `to` is an account's id, `from` a customer's.

        `group` is a group's id, `anonymous` a conversation of a customer who has not logged in; `media`
        (`{type, content (base64), name}`) sends a file; `days_ago` is how long ago the customer's last
        interaction was for the window; any other key of a message is sent as it is. Returns the platform's
        ids. Raises `ValueError`.
        """
        account = self._connected(order.get("to"))
        user, kind = str(order.get("from", "2512523625412515")), str(order.get("kind", "text"))
        account.seen[user] = time.time() - float(order.get("days_ago", 0)) * _DAY
        message: dict[str, Any] = {"msg_id": str(order.get("msg_id", self._message_id()))}
        if "media" in order:
            kind, url, content = self.keep_file(order["media"], _KINDS)
            payload = {"url": url, "size": str(len(content)), "name": str(order["media"].get("name", ""))}
            message["attachments"] = [{"type": kind, "payload": {k: v for k, v in payload.items() if v}}]
        beside = ("to", "from", "group", "anonymous", "kind", "media", "days_ago", "msg_id")
        message |= {name: value for name, value in order.items() if name not in beside}
        told: dict[str, Any] = {"sender": {"id": user}, "recipient": {"id": account.id}, "message": message}
        name, chat = f"user_send_{kind}", user
        if "group" in order:
            name, chat = f"user_send_group_{kind}", str(order["group"])
            account.groups.setdefault(chat, Group(chat)).members.add(user)
            told |= {"recipient": {"id": chat}, "oa_id": account.id}
        elif "anonymous" in order:
            name, message["conversation_id"] = f"anonymous_send_{kind}", str(order["anonymous"])
            account.anonymous.add(message["conversation_id"])
            chat = f"anonymous:{user}:{order['anonymous']}"
        self._event(account, {"event_name": name, **told})
        return {"message_id": message["msg_id"], "conversation_id": chat}

    def push(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{to, event}`: send an event of any shape; `app_id` and `timestamp` are added where they lack."""
        event = order.get("event")
        if not isinstance(event, dict):
            raise ValueError("event: must be an object")
        self._event(self._connected(order.get("to")), event)
        return {"ok": True}

    def receipt(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{message_id, status}`: the customer has got or seen a message. Raises `ValueError`."""
        names = {"delivered": "user_received_message", "read": "user_seen_message"}
        name = names.get(str(order.get("status")))
        for account in self.accounts.values():
            for sent in account.sent:
                if name is not None and sent.get("message_id") == order.get("message_id"):
                    user = {"id": sent["recipient"].get("user_id", "")}
                    ids = {"msg_ids": [sent["message_id"]]} if name.endswith("seen_message") else {}
                    message = ids or {"msg_id": sent["message_id"]}
                    sides = {"sender": user, "recipient": {"id": account.id}}
                    self._event(account, {"event_name": name, **sides, "message": message})
                    return {"ok": True}
        raise ValueError("message_id: no such message was sent; status: delivered or read")

    def sent(self) -> list[dict[str, Any]]:
        """Bodies of what accounts sent, with the ids, oldest first."""
        found = [{"account": one.id, **message} for one in self.accounts.values() for message in one.sent]
        return sorted(found, key=lambda message: message["at"])

    def calls(self) -> list[dict[str, Any]]:
        return self.callbacks.calls()

    # -- what the platform does ------------------------------------------------------------------------------

    def _account(self, oa: str) -> Account:
        if oa not in self.accounts:
            self.accounts[oa] = Account(oa)
        return self.accounts[oa]

    def _connected(self, to: Any) -> Account:
        connected = [account for account in self.accounts.values() if account.app is not None]
        found = [account for account in connected if to is None or account.id == str(to)]
        if len(found) != 1:
            known = ", ".join(account.id for account in connected) or "none"
            raise ValueError(f"to: must be the id of one account with a webhook (there are: {known})")
        return found[0]

    def _echo(self, account: Account, recipient: dict[str, Any], message: dict[str, Any]) -> None:
        attachment = message.pop("attachment", None)
        kind = "text"
        if attachment is not None:
            elements = attachment["payload"].get("elements") or [{}]
            kind = str(elements[0].get("media_type", "file"))
            message["attachments"] = [attachment]
        event: dict[str, Any] = {"event_name": f"oa_send_{kind}", "sender": {"id": account.id}}
        if "group_id" in recipient:
            event |= {"event_name": f"oa_send_group_{kind}", "oa_id": account.id}
        elif "anonymous_id" in recipient:
            event["event_name"] = f"oa_send_anonymous_{kind}"
            message["conversation_id"] = recipient["conversation_id"]
        event["recipient"] = {"id": next(iter(recipient.values()))}
        if account.app is not None:
            self._event(account, {**event, "message": message})

    def _event(self, account: Account, event: dict[str, Any]) -> None:
        known = account.app
        assert known is not None
        told = {"app_id": known.id, "timestamp": str(int(time.time() * 1000)), **event}
        body = msgspec.json.encode(told)
        first = account.id if known.signed_with == "oa" else known.id
        headers = {
            "content-type": "application/json",
            SIGNATURE: sign(first, body, str(told["timestamp"]), known.oa_secret),
        }
        times = 2 if self.faults.next("webhook", "duplicate") is not None else 1
        for _ in range(times):
            self.callbacks.order(Delivery(known.callback_url, headers, body, str(event.get("event_name"))))

    def _message_id(self) -> str:
        return f"{next(self._ids):06d}d4a3f1b09c2e"


def _file_of(attachment: Any) -> str:
    """The id or token of an uploaded file."""
    payload = attachment.get("payload", {}) if isinstance(attachment, dict) else {}
    for element in payload.get("elements", []):
        if element.get("media_type") in ("image", "gif") and "attachment_id" in element:
            return str(element["attachment_id"])
    return str(payload.get("token", ""))


def _refuse(error: OfficialError) -> Response:
    return as_json({"error": error.code, "message": error.message})


_CALLS: dict[str, Callable[[ZaloOfficialPlatform, Account, dict[str, Any]], Any]] = {
    "getoa": ZaloOfficialPlatform._get_account,
    "user/detail": ZaloOfficialPlatform._user,
    "message/cs": ZaloOfficialPlatform._message,
    "group/message": ZaloOfficialPlatform._message,
    "message": ZaloOfficialPlatform._message_v2,
    "tag/gettagsofoa": ZaloOfficialPlatform._tags,
    "tag/tagfollower": ZaloOfficialPlatform._tag,
    "tag/rmfollowerfromtag": ZaloOfficialPlatform._untag,
    "tag/rmtag": ZaloOfficialPlatform._remove_tag,
}
