"""Telegram's Bot API, played on loopback (https://core.telegram.org/bots/api).

Every token of the right shape is a bot, made when it is first used. Updates are kept until `getUpdates`
confirms them with a higher offset; of two polls of one bot the older ends with 409, as on the real platform.
A bot may write only to chats that wrote first.
"""

import random
import re
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import attrs
import msgspec
import trio
from quart import Response, request
from quart_trio import QuartTrio

from unifyport.providers.telegram.parse import ALLOWED_UPDATES
from unifyport.providers.telegram.render import MAX_TEXT, chat_id

from .faults import Fault, Faults
from .serving import new_app

_TOKEN = re.compile(r"(\d+):[A-Za-z0-9_-]+")
_KEPT = 10_000  # sent messages and connections remembered
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
    sent: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=_KEPT))
    revoked: bool = False
    news: trio.Event = attrs.field(factory=trio.Event)
    poll: trio.CancelScope | None = None

    @property
    def user(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "is_bot": True,
            "first_name": f"Sandbox {self.id}",
            "username": f"sandbox_{self.id}_bot",
        }

    def message_id(self, chat: int | str) -> int:
        number = self.next_message_id.get(chat, 0) + 1
        self.next_message_id[chat] = number
        return number

    def push(self, update: dict[str, Any]) -> int:
        """Queue an update; returns its id."""
        update_id = self.next_update_id
        self.next_update_id += 1
        self.updates.append({"update_id": update_id, **update})
        self.news.set()
        self.news = trio.Event()
        return update_id


class TelegramPlatform:
    """The platform's state, its Bot API application, and the customers' side for the control port."""

    name = "telegram"

    def __init__(self) -> None:
        self.bots: dict[str, Bot] = {}
        self.faults = Faults()
        self.connections: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self.app: QuartTrio = new_app("sandbox.telegram")
        self.app.add_url_rule("/bot<token>/<method>", "call", self._call, methods=["GET", "POST"])

    def endpoints(self, base_url: str) -> dict[str, str]:
        """What `[providers.telegram]` must hold to reach this platform."""
        return {"bot_api_url": base_url}

    # -- the Bot API ------------------------------------------------------------------------------------------

    async def _call(self, token: str, method: str) -> Response:
        self._note_connection(token, method)
        fault = self.faults.next(method, "disconnect", "error_500", "rate_limit", "delay", "garbage")
        if fault is not None and (answer := await self._suffer(fault)) is not None:
            return answer
        try:
            bot = self._bot(token, method)
            handler = _METHODS.get(method.lower())
            if handler is None:
                raise BotApiError(404, "Not Found: method not found")
            return _json({"ok": True, "result": await handler(self, bot, await _parameters())})
        except BotApiError as error:
            body = {"ok": False, "error_code": error.code, "description": error.description}
            if error.parameters:
                body["parameters"] = error.parameters
            return _json(body, error.code)

    async def _suffer(self, fault: Fault) -> Response | None:
        match fault.kind:
            case "delay":
                await trio.sleep(fault.value)
                return None
            case "disconnect":
                return Response(_cut_off(), 200, {"content-length": "100"}, content_type="application/json")
            case "garbage":
                return Response(b"<html>bad gateway</html>", 502, content_type="text/html")
            case "rate_limit":
                wait = max(1, round(fault.value))
                body = {
                    "ok": False,
                    "error_code": 429,
                    "description": f"Too Many Requests: retry after {wait}",
                }
                return _json({**body, "parameters": {"retry_after": wait}}, 429)
        return _json({"ok": False, "error_code": 500, "description": "Internal Server Error"}, 500)

    def _note_connection(self, token: str, method: str) -> None:
        peer = request.scope.get("client")
        self.connections.append(
            {
                "at": time.time(),
                "peer": f"{peer[0]}:{peer[1]}" if peer else "",
                "account": token.partition(":")[0],
                "method": method,
            }
        )

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
        if self.faults.next("getUpdates", "conflict") is not None:
            raise BotApiError(409, "Conflict: terminated by other getUpdates request")
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
        chat = bot.chats.get(chat_id(str(parameters.get("chat_id", ""))))
        if chat is None:
            raise BotApiError(400, "Bad Request: chat not found")
        message = {
            "message_id": bot.message_id(chat["id"]),
            "from": bot.user,
            "chat": chat,
            "date": int(time.time()),
            "text": text,
        }
        bot.sent.append({**message, **{k: parameters[k] for k in ("parse_mode",) if k in parameters}})
        return message

    async def _webhook_info(self, bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        return {"url": "", "has_custom_certificate": False, "pending_update_count": len(bot.updates)}

    async def _delete_webhook(self, bot: Bot, parameters: dict[str, Any]) -> bool:
        await trio.lowlevel.checkpoint()
        if str(parameters.get("drop_pending_updates", "")).lower() == "true":
            bot.updates.clear()
        return True

    # -- the customers' side ------------------------------------------------------------------------------------

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A customer writes `{to, from, text, ...}`: `to` is a bot's id, `from` a user's id or an object.

        `chat` (an object) makes it a group; any other key of a Bot API message may be given and is sent as it
        is. Returns the platform's ids. Raises `ValueError`.
        """
        bot = self._connected(order.get("to"))
        sender = _user(order.get("from", 1))
        chat = order.get("chat")
        if chat is None:
            chat = {"id": sender["id"], "type": "private", "first_name": sender["first_name"]}
        if not isinstance(chat, dict) or "id" not in chat:
            raise ValueError("chat: must be an object with an id")
        bot.chats[chat["id"]] = chat
        extra = {name: value for name, value in order.items() if name not in ("to", "from", "chat")}
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

    def push(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{to, update}`: an update as it is, of any shape. Raises `ValueError`."""
        update = order.get("update")
        if not isinstance(update, dict):
            raise ValueError("update: must be an object")
        bot = self._connected(order.get("to"))
        unknown = [name for name in update if name not in ALLOWED_UPDATES]
        return {"update_id": bot.push(update), "not_standard": unknown}

    def sent(self) -> list[dict[str, Any]]:
        """What bots sent, in Bot API terms, oldest first."""
        return [{"account": str(bot.id), **message} for bot in self.bots.values() for message in bot.sent]

    def order_fault(self, order: dict[str, Any]) -> None:
        """Raises `ValueError`. A conflict ends a poll that is waiting now, if there is one, else the next."""
        polls = [bot.poll for bot in self.bots.values() if bot.poll is not None]
        if order.get("kind") == "conflict" and "seconds" not in order and polls:
            for poll in polls:
                poll.cancel()
            order = {**order, "count": order.get("count", 1) - 1}
        self.faults.add(order)

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


_METHODS = {
    "getme": TelegramPlatform._get_me,
    "getupdates": TelegramPlatform._get_updates,
    "sendmessage": TelegramPlatform._send_message,
    "getwebhookinfo": TelegramPlatform._webhook_info,
    "deletewebhook": TelegramPlatform._delete_webhook,
}


async def _cut_off() -> AsyncIterator[bytes]:
    """A body that ends in the middle: the server then closes the connection."""
    yield b'{"ok":true'
    raise ConnectionAbortedError("a fault was ordered")


async def _parameters() -> dict[str, Any]:
    """Bot API parameters come as JSON, as a form, or in the query."""
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


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, content_type="application/json")
