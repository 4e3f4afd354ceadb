"""Requests that tell a sender that messages came in (`deliveredv2`) or were read (`seenv2`).

They say more of each message than its id, and what they say must be true.
"""

from typing import Any

from .calls import Asked, Rule
from .mail import Mail
from .world import Group, invalid

_MAX_RECEIPTS = 50


def _receipts(mail: Mail, asked: Asked, *, seen: bool) -> dict[str, Any]:
    infos = asked.inner("msgInfos")
    items = infos.get("data")
    if not isinstance(items, list) or not 0 < len(items) <= _MAX_RECEIPTS:
        raise invalid("data")
    if seen and "grid" not in infos and "senderId" not in infos:
        raise invalid("senderId")
    user = asked.session.user
    for item in items:
        found = mail.find(user, item["gmi"])
        wanted = {"si": found.sender.id, "cmi": found.client_id, "mt": found.kind}
        if isinstance(found.thread, Group):
            wanted["di"] = found.thread.id
            if str(infos.get("grid")) != found.thread.id:
                raise invalid("grid")
        else:
            wanted["di"] = "0"
        for name, value in wanted.items():
            if str(item.get(name)) != value:
                raise invalid(name)
        if seen:
            mail.seen(user, found)
        else:
            mail.delivered(user, found)
            if infos.get("seen") == 1:
                mail.seen(user, found)
    return {"status": 1}


def _delivered(mail: Mail, asked: Asked) -> dict[str, Any]:
    return _receipts(mail, asked, seen=False)


def _seen(mail: Mail, asked: Asked) -> dict[str, Any]:
    return _receipts(mail, asked, seen=True)


CALLS = {
    Rule("POST", "chat", "/api/message/deliveredv2"): _delivered,
    Rule("POST", "group", "/api/group/deliveredv2"): _delivered,
    Rule("POST", "chat", "/api/message/seenv2"): _seen,
    Rule("POST", "group", "/api/group/seenv2"): _seen,
}
