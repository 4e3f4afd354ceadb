"""The phones' side of the played LINE, for the control port: what people write and do, and what fails."""

from collections.abc import Callable
from typing import Any

from unifyport.providers.line.device import structures as line
from unifyport.providers.line.device.operations import REACTIONS

from ...order_shapes import text_of
from .logins import Logins
from .objects import ObjectStore
from .phone import Phones, shown
from .phone_files import sealed_file
from .platform_orders import person_of, platform_orders
from .talk import READ_BY_THEM, READ_BY_US, UNSENT_BY_THEM, UNSENT_BY_US, TalkService
from .world import Account, Group, World, now

JOINED, LEFT, JOINED_SELF = 130, 128, 129


class Customers:
    """Obeys orders of the control port. All of them raise `ValueError`."""

    def __init__(self, world: World, talk: TalkService, logins: Logins, objects: ObjectStore) -> None:
        self._world = world
        self._talk = talk
        self._logins = logins
        self._objects = objects
        self.phones = Phones(world)
        self._orders: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
            "account": self._account,
            "scan": self._scan,
            "enter_pin": lambda order: self._logins.type_pin(
                text_of(order, "pin"), self._person(order, "name")
            ),
            "expire_logins": lambda order: self._logins.expire(),
            "forget_certificates": lambda order: self._person(order, "name").certificates.clear(),
            "group": self._group,
            "join": self._join,
            "leave": self._leave,
            "renew_key": self._renew_key,
            "renew_group_key": self._renew_group_key,
            "sealing": self._sealing,
            "unsend": self._unsend,
            "react": self._react,
            **platform_orders(world, talk, objects),
        }

    def obey(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """What a phone, its owner or the platform does, by the name in `do`."""
        act = self._orders.get(str(order.get("do")))
        if act is None:
            raise ValueError(f"do: must be one of {', '.join(self._orders)}")
        return act(order)

    def _scan(self, order: dict[str, Any]) -> None:
        """`confirm: true`: the owner types the PIN as soon as there is one."""
        account, confirms = self._person(order, "name"), bool(order.get("confirm"))
        self._logins.scan(text_of(order, "qr"), account, confirms=confirms)

    # -- messages -------------------------------------------------------------------------------------------

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A person writes from a phone: `{from, to, text}`; `to` is a person's name, `group` a group's.

        `media` (`{type, content (base64), filename}`) sends a file, `location`, `quote` (a message's id),
        `plain: true` does not seal; `content_type` and `metadata` are sent as they are.
        """
        sender = self._person(order, "from", "Mei")
        to = self._find_group(order).mid if "group" in order else self._person(order, "to").mid
        content: dict[str, Any] = {}
        parts: dict[str, Any] = {
            "content_type": int(order.get("content_type", 0)),
            "metadata": dict(order.get("metadata") or {}),
        }
        if "media" in order:
            content, file = sealed_file(self._objects, order["media"])
            parts |= {"content_type": file.pop("content_type"), "metadata": parts["metadata"] | file}
        elif "location" in order:
            content, parts["content_type"] = {"location": dict(order["location"])}, 15
        elif "text" in order:
            content = {"text": str(order["text"])}
        if "quote" in order:
            parts |= {"related_id": str(order["quote"]), "relation": line.REPLY, "related_service": line.TALK}
        written = self.phones.write(sender, to, content, plain=bool(order.get("plain")), **parts)
        made = self._world.new_message(written, sender)
        self._world.deliver(made, sender)
        chat = to if to in self._world.groups else sender.mid
        return {"message_id": made.id, "conversation_id": chat}

    def receipt(self, order: dict[str, Any]) -> None:
        """A person has read up to a message: `{from, message_id}`."""
        reader = self._person(order, "from", "Mei")
        message = self._message(order)
        chat = self._talk.chat_for(reader, message)
        self._world.tell(reader, READ_BY_US, param1=chat, param2=message.id)
        for account in self._world.audience(chat, reader):
            seen = chat if chat in self._world.groups else reader.mid
            self._world.tell(account, READ_BY_THEM, param1=seen, param2=reader.mid, param3=message.id)

    def sent(self) -> list[dict[str, Any]]:
        """What devices sent, as the phones that got it read it, oldest first."""
        found = []
        for told in self._world.sent:
            try:
                opened = self.phones.open(told["message"])
            except Exception as error:  # told, not raised: a test looks at it
                opened = {"error": f"{type(error).__name__}: {error}"}
            found.append({"account": told["account"], **shown(told["message"], opened)})
        return found

    def _unsend(self, order: dict[str, Any]) -> None:
        message = self._message(order)
        author = self._world.accounts[message.sender or ""]
        self._world.tell(author, UNSENT_BY_US, param1=message.to, param2=message.id)
        for account in self._world.audience(message.to or "", author):
            self._world.tell(
                account, UNSENT_BY_THEM, param1=self._talk.chat_for(account, message), param2=message.id
            )

    def _react(self, order: dict[str, Any]) -> None:
        kinds = {emoji: number for number, emoji in REACTIONS.items()}
        emoji = str(order.get("emoji", ""))
        if emoji and emoji not in kinds:
            raise ValueError(f"emoji: must be one of {' '.join(kinds)}")
        who, message = self._person(order, "from", "Mei"), self._message(order)
        self._talk.react(who, message, kinds.get(emoji) if emoji else None, None)

    # -- people and groups ----------------------------------------------------------------------------------

    def _account(self, order: dict[str, Any]) -> dict[str, Any]:
        """Settings: `status_message`, `picture_path`, `region`, `seals`, `contacts` (names)."""
        known = ("status_message", "picture_path", "region", "seals")
        account = self._world.account(
            text_of(order, "name"), **{name: order[name] for name in known if name in order}
        )
        for name in order.get("contacts") or ():
            account.contacts[self._world.account(str(name)).mid] = ""
        return {"mid": account.mid}

    def _group(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{subject, names}`: a group, its creator first; `room: true`: a room, the older form."""
        members = [self._world.account(str(name)) for name in order.get("names") or ()]
        if not members:
            raise ValueError("names: must name the members, the creator first")
        prefix = "r" if order.get("room") else "c"
        return {"id": self._world.group(text_of(order, "subject"), members, prefix).mid}

    def _join(self, order: dict[str, Any]) -> None:
        group, account = self._find_group(order), self._person(order, "name")
        group.members[account.mid] = now()
        group.stale = True
        self._world.tell(account, JOINED_SELF, param1=group.mid)
        for member in self._world.audience(group.mid, account):
            self._world.tell(member, JOINED, param1=group.mid, param2=account.mid)

    def _leave(self, order: dict[str, Any]) -> None:
        group, account = self._find_group(order), self._person(order, "name")
        group.members.pop(account.mid, None)
        group.stale = True
        for member in self._world.members(group):
            self._world.tell(member, LEFT, param1=group.mid, param2=account.mid)

    # -- keys -----------------------------------------------------------------------------------------------

    def _renew_key(self, order: dict[str, Any]) -> dict[str, Any]:
        """The phone registers another key; devices do not get its private half."""
        return {"key_id": self._world.renew_key(self._person(order, "name")).key_id}

    def _renew_group_key(self, order: dict[str, Any]) -> None:
        group = self._find_group(order)
        self.phones.make_group_key(group, self._world.accounts[group.creator])

    def _sealing(self, order: dict[str, Any]) -> None:
        """Turn a person's Letter Sealing `on` or off."""
        self._person(order, "name").seals = bool(order.get("on", True))

    # -- what orders name -----------------------------------------------------------------------------------

    def _person(self, order: dict[str, Any], field: str, default: str = "") -> Account:
        return person_of(self._world, order, field, default)

    def _find_group(self, order: dict[str, Any]) -> Group:
        group = self._world.groups.get(str(order.get("group")))
        if group is None:
            raise ValueError("group: there is no such group")
        return group

    def _message(self, order: dict[str, Any]) -> line.Message:
        message = self._world.messages.get(str(order.get("message_id")))
        if message is None:
            raise ValueError("message_id: there is no such message")
        return message
