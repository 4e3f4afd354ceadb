"""Members of groups, supergroups and channels, as the platform lists them, and the calls that change one."""

from typing import Any, Final

from telethon.tl import functions

from unifyport.model import directory
from unifyport.model.times import rfc3339

from ..bot.people import full_name
from ..bot.shapes import Chat
from .peer import Peer, id_of, peer_of

_ROLES: Final = {"ParticipantCreator": "owner", "ParticipantAdmin": "admin"}


def chat_member_request(number: int, action: str, user: Any) -> Any:
    match action:
        case "add":
            return functions.messages.AddChatUserRequest(number, user, fwd_limit=0)
        case "remove":
            return functions.messages.DeleteChatUserRequest(number, user)
    return functions.messages.EditChatAdminRequest(number, user, action == "promote")


def members_of(participants: list[Any], entities: list[Any]) -> list[directory.ConversationMember]:
    known = {found.id: found for each in entities if (found := peer_of(each)) is not None}
    shown = []
    for each in participants:
        id_ = id_of(each.peer) if hasattr(each, "peer") else int(each.user_id)
        if id_ in known:
            shown.append(member_of(known[id_], each))
    return shown


def member_of(peer: Peer, participant: Any) -> directory.ConversationMember:
    names = (peer.title, peer.first_name, peer.last_name, peer.username)
    role = type(participant).__name__
    joined = getattr(participant, "date", None)
    return directory.ConversationMember(
        str(peer.id),
        full_name(Chat(peer.id, peer.type, *names)),
        role=None
        if participant is None
        else _ROLES.get(role.removeprefix("Channel").removeprefix("Chat"), "member"),
        username=peer.username or None,
        joined_at=rfc3339(int(joined.timestamp() * 1000)) if joined is not None else None,
    )
