"""Telegram's Bot API, played on loopback (https://core.telegram.org/bots/api).

Every token of the right shape is a bot, created on its first use. Updates are kept until `getUpdates`
confirms them with a higher offset; of two polls of one bot the older ends with 409, as on the real platform.
A bot can write only to chats that wrote first.
"""

import base64
import math
import random
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import httpx
import msgspec
import trio
from quart import Response, request

from unifyport.model.send_pace import Pace
from unifyport.model.token_bucket import Limit
from unifyport.providers.telegram.bot.render import MAX_CAPTION, MAX_TEXT, chat_id
from unifyport.providers.telegram.bot.signature import SECRET_TOKEN
from unifyport.providers.telegram.bot.updates import ALLOWED_UPDATES, UPDATES

from ..http import HttpPlatform, as_json, http
from ..limits import SendLimits
from ..platform import KEPT

_TOKEN = re.compile(r"(\d+):[A-Za-z0-9_-]+")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
# Kinds of files, and the fields that the Bot API requires of them.
_PICTURE: dict[str, Any] = {"width": 640, "height": 480}
_MEDIA_FIELDS: dict[str, dict[str, Any]] = {
    "photo": _PICTURE,
    "video": {**_PICTURE, "duration": 1},
    "animation": {**_PICTURE, "duration": 1},
    "video_note": {"length": 240, "duration": 1},
    "audio": {"duration": 1},
    "voice": {"duration": 1},
    "document": {},
    "sticker": {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False},
}
# Kinds of updates that come only to a bot that names them.
_NAMED_ONLY = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
_FIRST_RETRY, _LAST_RETRY = 0.1, 2.0
_POLL_LIMIT = 100


class BotApiError(Exception):
    """`{"ok": false, ...}` with this code and description."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


@attrs.define
class Bot:
    id: int
    token: str
    updates: deque[dict[str, Any]] = attrs.field(factory=deque)
    next_update_id: int = attrs.field(factory=lambda: random.randrange(10**8, 10**9))  # noqa: S311
    next_message_id: dict[int | str, int] = attrs.field(factory=dict)
    chats: dict[int | str, dict[str, Any]] = attrs.field(factory=dict)
    migrated: dict[int | str, int] = attrs.field(factory=dict)  # groups that became supergroups
    sent: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    revoked: bool = False
    news: trio.Event = attrs.field(factory=trio.Event)
    poll: trio.CancelScope | None = None
    webhook: dict[str, Any] | None = None  # `url` and `secret_token` of `setWebhook`
    allowed: frozenset[str] = frozenset()  # kinds of updates that it named; empty: none named

    @property
    def user(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "is_bot": True,
            "first_name": f"Sandbox {self.id}",
            "username": f"sandbox_{self.id}_bot",
        }

    def wants(self, kind: str) -> bool:
        """Kinds that nobody has documented, which tests make up, come in any case."""
        if self.allowed and kind in UPDATES:
            return kind in self.allowed
        return kind not in _NAMED_ONLY

    def allow(self, parameters: dict[str, Any]) -> None:
        """Take over `allowed_updates` of a request. It stays until another one is given."""
        named = parameters.get("allowed_updates")
        if isinstance(named, str):
            named = msgspec.json.decode(named)
        if isinstance(named, list):
            self.allowed = frozenset(map(str, named))

    def message_id(self, chat: int | str) -> int:
        number = self.next_message_id.get(chat, 0) + 1
        self.next_message_id[chat] = number
        return number

    def push(self, update: dict[str, Any]) -> int:
        """Queue an update, unless it is of a kind that the bot does not want; returns its id."""
        update_id = self.next_update_id
        self.next_update_id += 1
        if all(self.wants(kind) for kind in update):
            self.updates.append({"update_id": update_id, **update})
        self.news.set()
        self.news = trio.Event()
        return update_id


class TelegramPlatform(HttpPlatform):
    """The platform's state, its Bot API application, and the customers' side for the control port."""

    name = "telegram"

    def __init__(self) -> None:
        super().__init__()
        # https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
        self.limits = SendLimits(Pace(account=Limit(30, 30), user=Limit(1, 5), group=Limit(20 / 60, 20)))
        self.bots: dict[str, Bot] = {}
        self.files: dict[str, bytes] = {}
        self._calls: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._webhook_set = trio.Event()
        self.protocols = [http(self.app, "bot_api", ("bot_api_url",))]
        self.app.add_url_rule("/bot<token>/<method>", "call", self._call, methods=["GET", "POST"])
        self.app.add_url_rule("/file/bot<token>/<path:path>", "file", self._file, methods=["GET"])

    async def run(self) -> None:
        """Call the webhooks of all bots, each with one update at a time, in order."""
        serving: set[str] = set()
        async with (
            httpx.AsyncClient(trust_env=False, timeout=15, verify=False) as client,  # noqa: S501  loopback
            trio.open_nursery() as nursery,
        ):
            while True:
                for bot in self.bots.values():
                    if bot.webhook is not None and bot.token not in serving:
                        serving.add(bot.token)
                        nursery.start_soon(self._call_webhook, client, bot)
                await self._webhook_set.wait()
                self._webhook_set = trio.Event()

    async def _call_webhook(self, client: httpx.AsyncClient, bot: Bot) -> None:
        pause = _FIRST_RETRY
        while True:
            while bot.webhook is None or not bot.updates:
                await bot.news.wait()
            update = bot.updates[0]
            status = await self._call_once(client, bot.webhook, update)
            if status is not None and 200 <= status < 300:
                if bot.updates and bot.updates[0] is update:
                    bot.updates.popleft()
                pause = _FIRST_RETRY
                continue
            await trio.sleep(pause)
            pause = min(pause * 2, _LAST_RETRY)

    async def _call_once(
        self, client: httpx.AsyncClient, webhook: dict[str, Any], update: dict[str, Any]
    ) -> int | None:
        headers = {"content-type": "application/json"}
        if "secret_token" in webhook:
            headers[SECRET_TOKEN] = webhook["secret_token"]
        status = None
        try:
            response = await client.post(webhook["url"], content=msgspec.json.encode(update), headers=headers)
            status = response.status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            pass
        self._calls.append({"url": webhook["url"], "label": str(update["update_id"]), "status": status})
        return status

    def calls(self) -> list[dict[str, Any]]:
        return list(self._calls)

    # -- the Bot API -----------------------------------------------------------------------------------------

    async def _call(self, token: str, method: str) -> Response:
        return await self.answer(token.partition(":")[0], method, lambda: self._handle(token, method))

    async def _handle(self, token: str, method: str) -> Response:
        try:
            bot = self._bot(token, method)
            handler = _METHODS.get(method.lower())
            if handler is None:
                raise BotApiError(404, "Not Found: method not found")
            return as_json({"ok": True, "result": await handler(self, bot, await _parameters())})
        except BotApiError as error:
            return _refuse(error)

    def rate_limited(self, seconds: int) -> Response:
        text = f"Too Many Requests: retry after {seconds}"
        return _refuse(BotApiError(429, text, retry_after=seconds))

    def failed(self) -> Response:
        return _refuse(BotApiError(500, "Internal Server Error"))

    def _bot(self, token: str, method: str) -> Bot:
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise BotApiError(404, "Not Found")
        bot = self.bots.get(token)
        if bot is None:
            bot = self.bots[token] = Bot(int(match[1]), token)
        if self.faults.next(method, "logout") is not None:
            bot.revoked = True
        if bot.revoked:
            raise BotApiError(401, "Unauthorized")
        return bot

    async def _get_me(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        return {
            **bot.user,
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }

    async def _get_updates(self, bot: Bot, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        if bot.webhook is not None:
            raise BotApiError(
                409,
                "Conflict: can't use getUpdates method while webhook is active;"
                " use deleteWebhook to delete the webhook first",
            )
        if self.faults.next("getUpdates", "conflict") is not None:
            raise BotApiError(409, "Conflict: terminated by other getUpdates request")
        bot.allow(parameters)
        offset, timeout = _integer(parameters, "offset", 0), _integer(parameters, "timeout", 0)
        limit = min(max(1, _integer(parameters, "limit", _POLL_LIMIT)), _POLL_LIMIT)
        if bot.poll is not None:
            bot.poll.cancel()
        if offset > 0:
            while bot.updates and bot.updates[0]["update_id"] < offset:
                bot.updates.popleft()
        with trio.CancelScope() as bot.poll:
            mine = bot.poll
            with trio.move_on_after(timeout):
                while not bot.updates:
                    await bot.news.wait()
            await trio.lowlevel.checkpoint()
        if mine.cancelled_caught:
            raise BotApiError(409, "Conflict: terminated by other getUpdates request")
        bot.poll = None
        found = list(bot.updates)[:limit]
        if found and self.faults.next("getUpdates", "duplicate") is not None:
            found.append(found[-1])
        return found

    async def _send_message(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        text = parameters.get("text")
        if not isinstance(text, str) or not text:
            raise BotApiError(400, "Bad Request: message text is empty")
        if len(text) > MAX_TEXT:
            raise BotApiError(400, "Bad Request: message is too long")
        return self._said(bot, parameters, {"text": text})

    async def _send_file(self, field: str, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        """Accept a file in a form. Files given by URL or `file_id` are not supported."""
        file = (await request.files).get(field)
        if file is None:
            raise BotApiError(400, f"Bad Request: there is no {field} in the request")
        content = file.stream.read()
        if len(str(parameters.get("caption", ""))) > MAX_CAPTION:
            raise BotApiError(400, "Bad Request: message caption is too long")
        file_id = self._keep(content)
        described = {
            "file_id": file_id,
            "file_unique_id": file_id,
            "file_size": len(content),
            **_MEDIA_FIELDS[field],
        }
        shown: Any = [described] if field == "photo" else {**described, "file_name": file.filename}
        if "duration" in parameters and field in ("video", "audio", "voice"):
            shown["duration"] = _integer(parameters, "duration", 1)
        kept: dict[str, Any] = {k: parameters[k] for k in ("caption",) if k in parameters}
        return self._said(bot, parameters, {field: shown, **kept})

    async def _send_contact(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        contact = {k: parameters[k] for k in ("phone_number", "first_name", "vcard") if k in parameters}
        if not contact.get("phone_number") or not contact.get("first_name"):
            raise BotApiError(400, "Bad Request: phone_number and first_name are required")
        return self._said(bot, parameters, {"contact": contact})

    def _said(self, bot: Bot, parameters: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
        """Store a message of the bot. Raises `BotApiError` (400) if the chat has never written to the bot."""
        asked = chat_id(str(parameters.get("chat_id", "")))
        if asked in bot.migrated:
            text = "Bad Request: group chat was upgraded to a supergroup chat"
            raise BotApiError(400, text, migrate_to_chat_id=bot.migrated[asked])
        chat = bot.chats.get(asked)
        if chat is None:
            raise BotApiError(400, "Bad Request: chat not found")
        self._enforce_limits(bot, chat)
        message = {
            "message_id": bot.message_id(chat["id"]),
            "from": bot.user,
            "chat": chat,
            "date": int(time.time()),
            **content,
        }
        bot.sent.append(
            {**message, **{k: parameters[k] for k in ("parse_mode", "duration") if k in parameters}}
        )
        return message

    def _enforce_limits(self, bot: Bot, chat: dict[str, Any]) -> None:
        """Raises `BotApiError` (429) for a message above the limits, while they are enforced."""
        if self.faults.next("send", "limits") is None:
            return
        kind = "user" if chat["type"] == "private" else "group"
        wait, _ = self.limits.take(str(bot.id), str(chat["id"]), kind)
        if wait > 0:
            seconds = math.ceil(wait)
            raise BotApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)

    def _keep(self, content: bytes) -> str:
        file_id = f"sandbox-file-{len(self.files) + 1}"
        self.files[file_id] = content
        return file_id

    async def _webhook_info(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        url = bot.webhook["url"] if bot.webhook is not None else ""
        return {"url": url, "has_custom_certificate": False, "pending_update_count": len(bot.updates)}

    async def _set_webhook(self, bot: Bot, parameters: dict[str, Any]) -> bool:
        """As on the platform, except that plain http is accepted: calls stay on this machine."""
        await trio.lowlevel.checkpoint()
        url = str(parameters.get("url", ""))
        if not url:
            return await self._delete_webhook(bot, parameters)
        if not url.startswith(("http://", "https://")):
            raise BotApiError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        secret = parameters.get("secret_token", "")
        if secret and not _SECRET.fullmatch(str(secret)):
            raise BotApiError(400, "Bad Request: secret token contains unallowed characters")
        bot.allow(parameters)
        bot.webhook = {"url": url} | ({"secret_token": str(secret)} if secret else {})
        bot.news.set()
        bot.news = trio.Event()
        self._webhook_set.set()
        return True

    async def _get_file(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        file_id = str(parameters.get("file_id", ""))
        if file_id not in self.files:
            raise BotApiError(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        size = len(self.files[file_id])
        return {
            "file_id": file_id,
            "file_unique_id": file_id,
            "file_size": size,
            "file_path": f"files/{file_id}",
        }

    async def _file(self, token: str, path: str) -> Response:
        await trio.lowlevel.checkpoint()
        content = self.files.get(path.removeprefix("files/"))
        if content is None or token not in self.bots or self.bots[token].revoked:
            return Response(b"", 404)
        return Response(content, 200, content_type="application/octet-stream")

    async def _delete_webhook(self, bot: Bot, parameters: dict[str, Any]) -> bool:
        await trio.lowlevel.checkpoint()
        if str(parameters.get("drop_pending_updates", "")).lower() == "true":
            bot.updates.clear()
        bot.webhook = None
        return True

    # -- the customers' side ---------------------------------------------------------------------------------

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A customer writes `{to, from, text, ...}`: `to` is a bot's id, `from` a user's id or an object.

        `chat` (an object) makes it a group; `media` (`{type, content (base64), ...}`) sends a file in the
        message's field `type`; any other key of a Bot API message is sent as it is, and `migrate_to_chat_id`
        makes the group a supergroup. Returns the platform's ids. Raises `ValueError`.
        """
        bot = self._connected(order.get("to"))
        sender = _user(order.get("from", 1))
        chat = order.get("chat")
        if chat is None:
            chat = {"id": sender["id"], "type": "private", "first_name": sender["first_name"]}
        if not isinstance(chat, dict) or "id" not in chat:
            raise ValueError("chat: must be an object with an id")
        bot.chats[chat["id"]] = chat
        extra = {name: value for name, value in order.items() if name not in ("to", "from", "chat", "media")}
        if "media" in order:
            extra |= self._media(order["media"])
        if isinstance(extra.get("migrate_to_chat_id"), int):
            there = bot.migrated[chat["id"]] = extra["migrate_to_chat_id"]
            bot.chats[there] = {**chat, "id": there, "type": "supergroup"}
        message = {
            "message_id": bot.message_id(chat["id"]),
            "from": sender,
            "chat": chat,
            "date": int(time.time()),
            **extra,
        }
        update_id = bot.push({"message": message})
        return {
            "message_id": str(message["message_id"]),
            "conversation_id": str(chat["id"]),
            "update_id": update_id,
        }

    def _media(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or value.get("type") not in _MEDIA_FIELDS:
            raise ValueError(f"media.type: must be one of {', '.join(_MEDIA_FIELDS)}")
        try:
            content = base64.b64decode(value["content"], validate=True)
        except (KeyError, ValueError, TypeError):
            raise ValueError("media.content: must be base64") from None
        file_id = self._keep(content)
        more = {name: item for name, item in value.items() if name not in ("type", "content")}
        described = {"file_id": file_id, "file_unique_id": file_id, "file_size": len(content)}
        file = {**described, **_MEDIA_FIELDS[value["type"]], **more}
        return {value["type"]: [file] if value["type"] == "photo" else file}

    def push(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{to, update}`: queue an update of any shape as it is. Raises `ValueError`."""
        update = order.get("update")
        if not isinstance(update, dict):
            raise ValueError("update: must be an object")
        bot = self._connected(order.get("to"))
        unknown = [name for name in update if name not in ALLOWED_UPDATES]
        return {"update_id": bot.push(update), "not_standard": unknown}

    def sent(self) -> list[dict[str, Any]]:
        """Messages that bots sent, as Bot API objects, oldest first for each bot."""
        return [{"account": str(bot.id), **message} for bot in self.bots.values() for message in bot.sent]

    def order_fault(self, order: dict[str, Any]) -> None:
        """Add a fault. A `conflict` ends the polls that wait now, else the next one. Raises `ValueError`."""
        polls = [bot.poll for bot in self.bots.values() if bot.poll is not None]
        if order.get("kind") == "conflict" and "seconds" not in order and polls:
            for poll in polls:
                poll.cancel()
            order = {**order, "count": order.get("count", 1) - 1}
        super().order_fault(order)

    def restore(self) -> None:
        """Forget all faults and accept revoked tokens again."""
        self.faults.clear()
        for bot in self.bots.values():
            bot.revoked = False

    def _connected(self, to: Any) -> Bot:
        found = [bot for bot in self.bots.values() if to is None or str(bot.id) == str(to) or bot.token == to]
        if len(found) != 1:
            known = ", ".join(str(bot.id) for bot in self.bots.values()) or "none"
            raise ValueError(f"to: must be the id of one connected bot (connected: {known})")
        return found[0]


def _file_sender(field: str) -> Callable[[TelegramPlatform, Bot, dict[str, Any]], Awaitable[dict[str, Any]]]:
    return lambda platform, bot, parameters: platform._send_file(field, bot, parameters)


_METHODS: dict[str, Callable[[TelegramPlatform, Bot, dict[str, Any]], Awaitable[Any]]] = {
    "getme": TelegramPlatform._get_me,
    "getupdates": TelegramPlatform._get_updates,
    "sendmessage": TelegramPlatform._send_message,
    "getwebhookinfo": TelegramPlatform._webhook_info,
    "setwebhook": TelegramPlatform._set_webhook,
    "deletewebhook": TelegramPlatform._delete_webhook,
    "getfile": TelegramPlatform._get_file,
    "sendcontact": TelegramPlatform._send_contact,
    **{f"send{field}": _file_sender(field) for field in ("photo", "video", "audio", "voice", "document")},
}


def _refuse(error: BotApiError) -> Response:
    body = {"ok": False, "error_code": error.code, "description": error.description}
    if error.parameters:
        body["parameters"] = error.parameters
    return as_json(body, error.code)


async def _parameters() -> dict[str, Any]:
    """The parameters of a Bot API call, from the query and the body (JSON or a form)."""
    parameters: dict[str, Any] = dict(request.args.items())
    if request.mimetype == "application/json":
        body = await request.get_json(silent=True)
        if not isinstance(body, dict):
            raise BotApiError(400, "Bad Request: can't parse JSON object")
        return parameters | body
    return parameters | dict((await request.form).items())


def _integer(parameters: dict[str, Any], name: str, default: int) -> int:
    try:
        return int(parameters.get(name, default))
    except (TypeError, ValueError):
        raise BotApiError(400, f"Bad Request: {name} must be an integer") from None


def _user(value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and isinstance(value.get("id"), int):
        return {"is_bot": False, "first_name": f"Customer {value['id']}", **value}
    text = str(value)
    if not text.isdigit():
        raise ValueError("from: must be a user's number or an object with an id")
    return {"id": int(text), "is_bot": False, "first_name": f"Customer {text}"}
