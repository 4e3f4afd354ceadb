"""The endpoints of the played Messaging API, one method each: channel, body and path -> answer.

An answer is JSON, or (status, JSON), or a whole response.
"""

import os
import time
from collections.abc import Callable
from typing import Any

from quart import Response, request

from ..http import as_json
from .contents import QUOTABLE, LineError, check_messages
from .state import RETRY_SECONDS, Accepted, Channel, Chat, User

Call = Callable[..., Any]
_PAGE = 100
_UUID_LENGTH = 36


class LineCalls:
    """A mixin of the platform."""

    def routes(self) -> list[tuple[str, str, str, Call]]:
        """(method, rule, name of the call for faults, function)."""
        found: list[tuple[str, str, str, Call]] = [
            ("GET", "/v2/bot/info", "info", self._info),
            ("GET", "/v2/bot/channel/webhook/endpoint", "get_webhook", self._get_webhook),
            ("PUT", "/v2/bot/channel/webhook/endpoint", "set_webhook", self._set_webhook),
            ("POST", "/v2/bot/message/reply", "reply", self._reply),
            ("POST", "/v2/bot/message/push", "push", self._push),
            ("GET", "/v2/bot/message/quota", "quota", self._quota),
            ("GET", "/v2/bot/message/quota/consumption", "consumption", self._consumption),
            ("GET", "/v2/bot/message/<message_id>/content", "content", self._content),
            ("GET", "/v2/bot/message/<message_id>/content/transcoding", "transcoding", self._transcoding),
            ("GET", "/v2/bot/profile/<user_id>", "profile", self._profile),
            ("GET", "/v2/bot/followers/ids", "followers", self._followers),
            ("POST", "/v2/bot/user/<user_id>/richmenu/<menu>", "link_menu", self._link_menu),
            ("DELETE", "/v2/bot/user/<user_id>/richmenu", "unlink_menu", self._unlink_menu),
            ("POST", "/v2/bot/chat/markAsRead", "mark_as_read", self._mark_as_read),
            ("POST", "/v2/bot/chat/loading/start", "loading", self._loading),
            ("GET", "/v2/bot/group/<chat_id>/summary", "summary", self._summary),
        ]
        for kind in ("group", "room"):
            at = f"/v2/bot/{kind}/<chat_id>"
            found += [
                ("GET", f"{at}/members/count", f"{kind}_count", self._count),
                ("GET", f"{at}/members/ids", f"{kind}_members", self._members),
                ("GET", f"{at}/member/<user_id>", f"{kind}_member", self._member),
                ("POST", f"{at}/leave", f"{kind}_leave", self._leave),
            ]
        return found

    # -- the channel -----------------------------------------------------------------------------------------

    def _info(self, channel: Channel, body: Any) -> Any:
        return {
            "userId": channel.bot,
            "basicId": f"@{channel.id[-6:]}abc",
            "displayName": f"Sandbox {channel.id}",
            "chatMode": "chat" if channel.chat else "bot",
            "markAsReadMode": "manual" if channel.chat else "auto",
        }

    def _get_webhook(self, channel: Channel, body: Any) -> Any:
        if not channel.endpoint:
            raise LineError(404, "Webhook endpoint not found")
        return {"endpoint": channel.endpoint, "active": channel.active}

    def _set_webhook(self, channel: Channel, body: Any) -> Any:
        """LINE takes https only; here an address on loopback may be http."""
        url = body.get("endpoint") if isinstance(body, dict) else None
        if not isinstance(url, str) or not url.startswith(("https://", "http://127.0.0.1")):
            raise LineError(400, "Invalid webhook endpoint URL")
        channel.endpoint = url
        return {}

    # -- messages --------------------------------------------------------------------------------------------

    def _reply(self, channel: Channel, body: Any) -> Any:
        if request.headers.get("X-Line-Retry-Key"):
            raise LineError(400, "X-Line-Retry-Key is not supported by this API")
        fields = _object(body)
        channel.requests.append(("reply", body))
        messages = check_messages(fields.get("messages"), channel.quote_tokens.__contains__)
        token = channel.reply_tokens.get(str(fields.get("replyToken")))
        if token is None or token.used or token.expires_at < time.time():
            raise LineError(400, "Invalid reply token")
        self._check_recipient(channel, token.chat)
        token.used = True
        return {"sentMessages": self._accept(channel, token.chat, messages, "reply")}

    def _push(self, channel: Channel, body: Any) -> Any:
        key = request.headers.get("X-Line-Retry-Key", "")
        if key and len(key) != _UUID_LENGTH:
            raise LineError(400, "The value of X-Line-Retry-Key is invalid")
        known = channel.accepted.get(key)
        if known is not None and known.at > time.time() - RETRY_SECONDS:
            answer = {"message": "The retry key is already accepted", "sentMessages": known.sent}
            return _with_request_id(409, answer, accepted=known.request_id)
        fields = _object(body)
        channel.requests.append(("push", body))
        messages = check_messages(fields.get("messages"), channel.quote_tokens.__contains__)
        to = str(fields.get("to", ""))
        self._check_recipient(channel, to)
        if channel.quota is not None and channel.usage + 1 > channel.quota:
            raise LineError(429, "You have reached your monthly limit.")
        channel.usage += 1
        sent, request_id = self._accept(channel, to, messages, "push"), os.urandom(16).hex()
        if key:
            channel.accepted[key] = Accepted(request_id, sent, time.time())
        return _with_request_id(200, {"sentMessages": sent}, own=request_id)

    def _check_recipient(self, channel: Channel, to: str) -> None:
        if len(to) != 33 or to[0] not in "UCR":
            raise LineError(400, "The property, 'to', in the request body is invalid (line: -, column: -)")
        if to not in channel.users and not channel.member_of(to):
            raise LineError(400, "Failed to send messages")

    def _accept(
        self, channel: Channel, to: str, messages: list[dict[str, Any]], how: str
    ) -> list[dict[str, Any]]:
        """What LINE says of sent messages."""
        sent = []
        user = channel.users.get(to)
        kept = channel.dropped if user is not None and not user.friend else channel.sent
        for message in messages:
            said: dict[str, Any] = {"id": channel.message_id()}
            if message["type"] in QUOTABLE:
                said["quoteToken"] = channel.new_quote_token()
            sent.append(said)
            kept.append({"at": time.time(), "to": to, "by": how, "id": said["id"], **message})
        return sent

    def _quota(self, channel: Channel, body: Any) -> Any:
        if channel.quota is None:
            return {"type": "none"}
        return {"type": "limited", "value": channel.quota}

    def _consumption(self, channel: Channel, body: Any) -> Any:
        return {"totalUsage": channel.usage}

    def _mark_as_read(self, channel: Channel, body: Any) -> Any:
        message_id = channel.read_tokens.get(str(_object(body).get("markAsReadToken")))
        if message_id is None:
            raise LineError(400, "Invalid markAsReadToken")
        channel.read.append(message_id)
        return {}

    def _loading(self, channel: Channel, body: Any) -> Any:
        fields = _object(body)
        seconds = fields.get("loadingSeconds", 20)
        if fields.get("chatId") not in channel.users or seconds not in range(5, 61, 5):
            raise LineError(400, "The request body has 1 error(s)", ("chatId", "Invalid chatId"))
        channel.loading.append(str(fields["chatId"]))
        return 202, {}

    # -- files -----------------------------------------------------------------------------------------------

    def _content(self, channel: Channel, body: Any, message_id: str) -> Any:
        found = channel.contents.get(message_id)
        if found is None:
            raise LineError(404, "Not found")
        if found.processing:
            return 202, {}
        return Response(found.content, 200, content_type=found.mime_type)

    def _transcoding(self, channel: Channel, body: Any, message_id: str) -> Any:
        found = channel.contents.get(message_id)
        if found is None or not found.mime_type.startswith(("video/", "audio/")):
            raise LineError(404, "Not found")
        if found.processing:
            found.processing -= 1
            return {"status": "processing"}
        return {"status": "succeeded"}

    # -- people ----------------------------------------------------------------------------------------------

    def _profile(self, channel: Channel, body: Any, user_id: str) -> Any:
        user = channel.users.get(user_id)
        if user is None or not user.friend:
            raise LineError(404, "Not found")
        return {**_shown(user), "language": "en", "statusMessage": "Hello, LINE!"}

    def _followers(self, channel: Channel, body: Any) -> Any:
        ids = [user.id for user in channel.users.values() if user.friend]
        first, limit = int(request.args.get("start", 0)), int(request.args.get("limit", 300))
        page = {"userIds": ids[first : first + limit]}
        return page | ({"next": str(first + limit)} if first + limit < len(ids) else {})

    def _link_menu(self, channel: Channel, body: Any, user_id: str, menu: str) -> Any:
        if user_id not in channel.users:
            raise LineError(404, "Not found")
        channel.users[user_id].menu = menu
        return {}

    def _unlink_menu(self, channel: Channel, body: Any, user_id: str) -> Any:
        return self._link_menu(channel, body, user_id, "")

    def _summary(self, channel: Channel, body: Any, chat_id: str) -> Any:
        chat = _joined(channel, chat_id)
        return {"groupId": chat.id, "groupName": chat.name, "pictureUrl": "https://profile.line-scdn.net/g"}

    def _count(self, channel: Channel, body: Any, chat_id: str) -> Any:
        return {"count": len(_joined(channel, chat_id).members)}

    def _members(self, channel: Channel, body: Any, chat_id: str) -> Any:
        ids = list(_joined(channel, chat_id).members)
        first = int(request.args.get("start", 0))
        page = {"memberIds": ids[first : first + _PAGE]}
        return page | ({"next": str(first + _PAGE)} if first + _PAGE < len(ids) else {})

    def _member(self, channel: Channel, body: Any, chat_id: str, user_id: str) -> Any:
        user = _joined(channel, chat_id).members.get(user_id)
        if user is None:
            raise LineError(404, "Not found")
        return _shown(user)

    def _leave(self, channel: Channel, body: Any, chat_id: str) -> Any:
        _joined(channel, chat_id).joined = False
        return {}


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise LineError(400, "The request body could not be parsed as JSON (line: 1, column: 1)")
    return body


def _joined(channel: Channel, chat_id: str) -> Chat:
    if not channel.member_of(chat_id):
        raise LineError(404, "Not found")
    return channel.chats[chat_id]


def _shown(user: User) -> dict[str, Any]:
    return {"userId": user.id, "displayName": user.name, "pictureUrl": "https://profile.line-scdn.net/u"}


def _with_request_id(status: int, value: dict[str, Any], *, own: str = "", accepted: str = "") -> Response:
    answer = as_json(value, status)
    answer.headers["x-line-request-id"] = own or os.urandom(16).hex()
    if accepted:
        answer.headers["x-line-accepted-request-id"] = accepted
    return answer
