"""What the played Bot API knows: bots, their chats and messages; and its errors."""

import random
from collections import OrderedDict, deque
from typing import Any

import attrs
import msgspec
import trio

from unifyport.providers.telegram.bot.updates import UPDATES

from ..platform import KEPT

# Kinds of updates that come only to a bot that names them.
_NAMED_ONLY = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


class BotApiError(Exception):
    """`{"ok": false, ...}` with this code and description."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


def bad_request(what: str) -> BotApiError:
    return BotApiError(400, f"Bad Request: {what}")


@attrs.define
class Bot:
    """`messages`: by chat and number, the last `KEPT`. `queries`: pressed buttons that are not answered."""

    id: int
    token: str
    updates: deque[dict[str, Any]] = attrs.field(factory=deque)
    next_update_id: int = attrs.field(factory=lambda: random.randrange(10**8, 10**9))  # noqa: S311
    next_message_id: dict[int | str, int] = attrs.field(factory=dict)
    chats: dict[int | str, dict[str, Any]] = attrs.field(factory=dict)
    left: set[int | str] = attrs.field(factory=set)
    migrated: dict[int | str, int] = attrs.field(factory=dict)  # groups that became supergroups
    businesses: set[str] = attrs.field(factory=set)
    sent: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    messages: OrderedDict[tuple[int | str, int], dict[str, Any]] = attrs.field(factory=OrderedDict)
    actions: deque[tuple[str, dict[str, Any]]] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    reactions: dict[tuple[int | str, int], list[Any]] = attrs.field(factory=dict)
    pinned: set[tuple[int | str, int]] = attrs.field(factory=set)
    queries: set[str] = attrs.field(factory=set)
    join_requests: set[tuple[int | str, int]] = attrs.field(factory=set)
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
        """Whether updates of a kind are queued. Kinds that tests make up always are."""
        if self.allowed and kind in UPDATES:
            return kind in self.allowed
        return kind not in _NAMED_ONLY

    def allow(self, parameters: dict[str, Any]) -> None:
        """Take over `allowed_updates` of a request. It stays until another one is given."""
        named = structured(parameters, "allowed_updates", list)
        if named is not None:
            self.allowed = frozenset(map(str, named))

    def message_id(self, chat: int | str) -> int:
        number = self.next_message_id.get(chat, 0) + 1
        self.next_message_id[chat] = number
        return number

    def keep(self, message: dict[str, Any]) -> None:
        self.messages[message["chat"]["id"], message["message_id"]] = message
        if len(self.messages) > KEPT:
            self.messages.popitem(last=False)

    def push(self, update: dict[str, Any]) -> int:
        """Queue an update, unless it is of a kind that the bot does not want; returns its id."""
        query = update.get("callback_query")
        if isinstance(query, dict) and "id" in query:
            self.queries.add(str(query["id"]))
        request = update.get("chat_join_request")
        if isinstance(request, dict):
            self.join_requests.add((request["chat"]["id"], request["from"]["id"]))
            self.chats.setdefault(request["chat"]["id"], request["chat"])
        update_id = self.next_update_id
        self.next_update_id += 1
        if all(self.wants(kind) for kind in update):
            self.updates.append({"update_id": update_id, **update})
        self.news.set()
        self.news = trio.Event()
        return update_id


def structured(parameters: dict[str, Any], name: str, kind: type = dict) -> Any:
    """A parameter that is an object or a list; in a form it is a JSON text. None if it is absent."""
    value = parameters.get(name)
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            raise bad_request(f"can't parse {name} JSON object") from None
    if value is not None and not isinstance(value, kind):
        raise bad_request(f"{name} has a wrong type")
    return value


def is_set(parameters: dict[str, Any], name: str) -> bool:
    return str(parameters.get(name, "")).lower() in ("true", "1")


def whole(parameters: dict[str, Any], name: str, default: int) -> int:
    try:
        return int(parameters.get(name, default))
    except (TypeError, ValueError):
        raise bad_request(f"{name} must be an integer") from None
