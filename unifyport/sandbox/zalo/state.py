"""What the played platforms of Zalo know: bots, apps and accounts; and their errors."""

from collections import deque
from typing import Any

import attrs
import trio

from ..platform import KEPT
from .groups import Group


class BotApiError(Exception):
    """`{"ok": false, ...}` with this code and description."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code, self.description = code, description


@attrs.define(eq=False)
class Bot:
    id: str
    token: str
    updates: deque[dict[str, Any]] = attrs.field(factory=deque)
    chats: dict[str, str] = attrs.field(factory=dict)  # id -> PRIVATE or GROUP
    sent: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    typing: deque[str] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    webhook: dict[str, Any] | None = None
    revoked: bool = False
    news: trio.Event = attrs.field(factory=trio.Event)


@attrs.define
class App:
    """The settings of the app. `verifier`: of the code challenge there. `signed_with`: `app` or `oa`."""

    id: str
    callback_url: str = ""
    oa_secret: str = ""
    signed_with: str = "app"


@attrs.define(eq=False)
class Account:
    id: str
    app: App | None = None
    seen: dict[str, float] = attrs.field(factory=dict)  # customer -> unix time of the last interaction
    anonymous: set[str] = attrs.field(factory=set)  # conversation ids
    groups: dict[str, Group] = attrs.field(factory=dict)
    tags: dict[str, set[str]] = attrs.field(factory=dict)
    sent: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=KEPT))
