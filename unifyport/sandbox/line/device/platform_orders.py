"""What the played platform does to an account and its devices, for the control port."""

from collections.abc import Callable
from typing import Any

from .objects import ObjectStore
from .talk import TalkService
from .world import Account, World

Order = Callable[[dict[str, Any]], dict[str, Any] | None]


def platform_orders(world: World, talk: TalkService, objects: ObjectStore) -> dict[str, Order]:
    """What can be in `do`. All of them raise `ValueError`."""
    orders = _Orders(world, talk, objects)
    return {
        "expire_token": orders.expire_token,
        "next_access": orders.next_access,
        "rotate_refresh": orders.rotate_refresh,
        "log_out": orders.log_out,
        "refuse": orders.refuse,
        "lose_operations": orders.lose_operations,
        "operation": orders.operation,
        "repeat": orders.repeat,
        "processing": orders.processing,
    }


def person_of(world: World, order: dict[str, Any], field: str, default: str = "") -> Account:
    """The person whose name is in `field`. Raises `ValueError`."""
    name = order.get(field, default)
    if not isinstance(name, str) or not name:
        raise ValueError(f"{field}: must be a person's name")
    return world.account(name)


class _Orders:
    def __init__(self, world: World, talk: TalkService, objects: ObjectStore) -> None:
        self._world = world
        self._talk = talk
        self._objects = objects

    def _account(self, order: dict[str, Any]) -> Account:
        return person_of(self._world, order, "name")

    def expire_token(self, order: dict[str, Any]) -> None:
        for device in self._account(order).devices:
            device.expired = True

    def next_access(self, order: dict[str, Any]) -> None:
        """The next answer to a call of the talk service brings another access token; the former one ends."""
        for device in self._account(order).devices:
            device.gets_next = True

    def rotate_refresh(self, order: dict[str, Any]) -> None:
        """Each refresh brings another refresh token, and the former one ends."""
        for device in self._account(order).devices:
            device.rotates = True

    def log_out(self, order: dict[str, Any]) -> None:
        for device in list(self._account(order).devices):
            self._world.log_out(device)

    def refuse(self, order: dict[str, Any]) -> None:
        """`{method, code}`: the next call of this method is refused with this code."""
        self._talk.refusals[str(order.get("method"))] = int(order.get("code", 0))

    def lose_operations(self, order: dict[str, Any]) -> None:
        """What has happened so far is not replayed to the person's devices any more."""
        account = self._account(order)
        account.lost_before = account.revision

    def operation(self, order: dict[str, Any]) -> dict[str, Any]:
        """Any operation: `{name, type, param1, param2, param3}`."""
        parts = {name: str(order[name]) for name in ("param1", "param2", "param3") if name in order}
        made = self._world.tell(self._account(order), int(order.get("type", 0)), **parts)
        return {"revision": made.revision}

    def repeat(self, order: dict[str, Any]) -> None:
        """The newest message operation of a person comes once more, under another revision."""
        account = self._account(order)
        newest = next(one for one in reversed(account.operations) if one.message is not None)
        self._world.tell(account, newest.type or 0, message=newest.message)

    def processing(self, order: dict[str, Any]) -> None:
        """All files are answered 202 for the next `count` requests."""
        for stored in self._objects.files.values():
            stored.processing = int(order.get("count", 1))
