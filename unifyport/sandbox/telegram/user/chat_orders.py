"""Orders about groups, channels and messages that exist: what people do on their phones."""

from typing import TYPE_CHECKING, Any

from telethon.tl import types as T

from . import order_shapes as shapes
from .customers import bot_id
from .directory import Channel, Chat, Person
from .errors import refusing
from .posts import Post

if TYPE_CHECKING:
    from .platform import UserPlatform


class ChatOrders:
    """Each raises `ValueError` naming the wrong field."""

    def __init__(self, platform: "UserPlatform") -> None:
        self._platform = platform
        self._customers = platform.customers

    def group(self, order: shapes.NewGroup) -> dict[str, Any]:
        """A basic group; the first of `phones` makes it."""
        group = self._platform.members.make_group(order.title, self._people(order.phones))
        return {"id": bot_id(group)}

    def channel(self, order: shapes.NewChannel) -> dict[str, Any]:
        people = self._people(order.phones)
        self._customers.check_username(order.username)
        if order.forum and not order.megagroup:
            raise ValueError("forum: only supergroups have topics")
        made = self._platform.members.make_channel(
            order.title, people, megagroup=order.megagroup, forum=order.forum, username=order.username
        )
        return {"id": bot_id(made)}

    def _people(self, phones: list[shapes.Named]) -> list[Person]:
        return [self._customers.person(phone, "phones") for phone in phones]

    def ask_to_join(self, order: shapes.InChat) -> None:
        """A person asks to be let into a group or channel."""
        person, room = self._customers.person(order.from_, "from"), self._customers.chat(order.to, "to")
        if isinstance(room, Person):
            raise ValueError("to: must be a group or channel")
        with refusing("from"):
            self._platform.joins.ask(room, person)

    def read(self, order: shapes.Reading) -> None:
        """The person has read the chat, up to `id`."""
        person, chat = self._customers.in_chat(order)
        if isinstance(chat, Channel):
            last = chat.last_post if order.id is None else order.id
            self._platform.reading.read_channel(person, chat, last)
        else:
            self._platform.reading.read(person, chat, person.last_post if order.id is None else order.id)

    def edit(self, order: shapes.Edit) -> None:
        post, person, _ = self._post(order)
        if post.action is not None or not self._platform.changes.may_change(person, post):
            raise ValueError("id: this message is not theirs to edit")
        post.text, post.edit_date = order.text, self._platform.server.now
        self._platform.delivery.edited(post)

    def delete(self, order: shapes.OfMessage) -> None:
        """For all who have the message."""
        post, person, chat = self._post(order)
        if isinstance(chat, Channel):
            self._platform.changes.delete_in_channel(chat, [post])
        else:
            self._platform.changes.delete([post], person, everywhere=True)

    def react(self, order: shapes.Reaction) -> None:
        """Without `emoji`: takes the reaction back."""
        post, person, _ = self._post(order)
        given = [T.ReactionEmoji(order.emoji)] if order.emoji else []
        self._platform.changes.react(post, person, given)

    def typing(self, order: shapes.Typing) -> None:
        person, chat = self._customers.in_chat(order)
        action = T.SendMessageCancelAction() if order.stop else T.SendMessageTypingAction()
        self._platform.changes.typing(person, chat, action)

    def _post(self, order: shapes.OfMessage) -> tuple[Post, Person, Chat]:
        """The message `id` of the chat `to`, as the person `from` numbers it."""
        person, chat = self._customers.in_chat(order)
        return self._customers.post(person, chat, order.id, "id"), person, chat
