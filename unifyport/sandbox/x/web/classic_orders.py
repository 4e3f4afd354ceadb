"""What people do with direct messages of the older kind, as orders of the control port."""

import base64
import binascii
import html
from collections.abc import Callable
from typing import Any

from .classic_state import Mail, Place

Order = dict[str, Any]


class ClassicOrders:
    """Orders by the word in `do`. `from`: the user who acts. `to`, a user, or `group`, an id: where it is.

    word               fields beside those
    ----------------   ---------------------------------------------------------------------------------------
    classic_write      text, name, quote (a message id), media {content (base64), mime_type}; `request`: true
                       if the recipient has not accepted the conversation
    classic_react      message_id, emoji; an empty emoji takes the reaction back
    classic_edit       message_id, text
    classic_delete     message_id: in the view of the user who acts, only
    classic_read       message_id
    classic_group      members, name: gives the group's id
    classic_rename     name
    classic_leave      -
    classic_entry      kind, fields: an entry of any kind, as it is
    classic_expire     no others: cursors that were given out are void
    """

    def __init__(self, mail: Mail) -> None:
        self._mail = mail
        self.words: dict[str, Callable[[Order], Order]] = {
            "classic_write": self._write,
            "classic_react": self._react,
            "classic_edit": self._edit,
            "classic_delete": self._delete,
            "classic_read": self._read,
            "classic_group": self._group,
            "classic_rename": self._rename,
            "classic_leave": self._leave,
            "classic_entry": self._entry,
            "classic_expire": self._expire,
        }

    def _write(self, order: Order) -> Order:
        sender, place = _user(order, "from"), self._place(order)
        if "name" in order:
            self._mail.names[sender] = str(order["name"])
        more: Order = {}
        if "quote" in order:
            quoted = self._message(place, {"message_id": order["quote"]})["message_data"]
            more["reply_data"] = {key: quoted[key] for key in ("id", "time", "sender_id", "text")}
        if order.get("request"):
            place.trusted &= {sender}
        text = html.escape(str(order.get("text", "")), quote=False)
        sent = self._mail.write(sender, place, text, **more)
        media = order.get("media")
        if isinstance(media, dict):
            try:
                content = base64.b64decode(media["content"], validate=True)
                self._mail.keep(content, str(media["mime_type"]), sent)
            except (binascii.Error, KeyError, TypeError):
                raise ValueError("media: must be {content (base64), mime_type}") from None
        return {"message_id": sent["id"], "conversation_id": place.id}

    def _react(self, order: Order) -> Order:
        sender, place = _user(order, "from"), self._place(order)
        message, emoji = self._message(place, order), str(order.get("emoji", ""))
        reactions = message.setdefault("message_reactions", [])
        before = next((each for each in reactions if each["sender_id"] == sender), None)
        if before is not None:
            reactions.remove(before)
        fields = {"message_id": message["id"], "sender_id": sender, "reaction_key": "emoji"}
        kind = "reaction_create" if emoji else "reaction_delete"
        fields["emoji_reaction"] = emoji or (before or {}).get("emoji_reaction", "")
        entry = self._mail.add(place, kind, **fields)
        if emoji:
            reactions.append(entry.body)
        return {"id": entry.body["id"]}

    def _edit(self, order: Order) -> Order:
        place = self._place(order)
        message = self._message(place, order)
        data = message["message_data"]
        data.update(text=str(order.get("text", "")), edit_count=data.get("edit_count", 0) + 1)
        entry = self._mail.add(place, "message_edit")
        entry.body |= {"message_data": dict(data), "id": message["id"], "affects_sort": False}
        return {"message_id": message["id"]}

    def _delete(self, order: Order) -> Order:
        who, place = _user(order, "from"), self._place(order)
        id_ = self._message(place, order)["id"]
        gone = [{"message_id": id_, "message_create_event_id": id_}]
        return {"id": self._mail.add(place, "message_delete", who, messages=gone).body["id"]}

    def _read(self, order: Order) -> Order:
        place = self._place(order)
        self._mail.mark_read(_user(order, "from"), place, int(self._message(place, order)["id"]))
        return {"ok": True}

    def _group(self, order: Order) -> Order:
        sender, members = _user(order, "from"), order.get("members")
        if not isinstance(members, list) or not all(str(each).isdigit() for each in members):
            raise ValueError("members: must be a list of ids of users")
        place = self._mail.group({sender, *map(str, members)}, str(order.get("name", "")))
        self._mail.add(place, "conversation_create", request_id="")
        return {"conversation_id": place.id}

    def _rename(self, order: Order) -> Order:
        place = self._place(order)
        place.name = str(order.get("name", ""))
        by = _user(order, "from")
        self._mail.add(place, "conversation_name_update", conversation_name=place.name, by_user_id=by)
        return {"ok": True}

    def _leave(self, order: Order) -> Order:
        who, place = _user(order, "from"), self._place(order)
        self._mail.add(place, "participants_leave", participants=[{"user_id": who}])
        place.members.discard(who)
        return {"ok": True}

    def _entry(self, order: Order) -> Order:
        fields = order.get("fields")
        if not isinstance(fields, dict):
            raise ValueError("fields: must be an object")
        entry = self._mail.add(self._place(order), str(order.get("kind", "")))
        entry.body |= fields
        return {"id": entry.body["id"]}

    def _expire(self, order: Order) -> Order:
        self._mail.first_cursor = self._mail.newest + 1
        return {"ok": True}

    def _place(self, order: Order) -> Place:
        sender = _user(order, "from")
        id_ = str(order["group"]) if "group" in order else f"{sender}-{_user(order, 'to')}"
        found = self._mail.place(sender, id_)
        if found is None:
            raise ValueError("group: there is no such conversation")
        return found

    def _message(self, place: Place, order: Order) -> Order:
        found = self._mail.message(place, str(order.get("message_id", "")))
        if found is None:
            raise ValueError("message_id: there is no such message in the conversation")
        return found


def _user(order: Order, field: str) -> str:
    id_ = str(order.get(field, ""))
    if not id_.isdigit() or len(id_) > 19:
        raise ValueError(f"{field}: must be the id of a user")
    return id_
