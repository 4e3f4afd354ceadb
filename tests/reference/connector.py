"""The connector of the reference platform: every capability, each a few lines between our words and the
platform's.

With a token it keeps no state: what the platform's own library would remember is asked for each time, and
what came in is kept by the platform until we confirm it. `device.py` has the connections that a human logs
in, and the declaration of the channel.
"""

import base64
from typing import Any

import attrs
import msgspec

from unifyport.model import directory
from unifyport.model.account import Identity
from unifyport.model.inbound import (
    Attachment,
    Content,
    Conversation,
    MessageReceived,
    ProviderEvent,
    Sender,
    Unparsed,
    dedupe_key,
)
from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage, OutboundText
from unifyport.model.vcard import vcard
from unifyport.net.bodies import FileBody
from unifyport.net.clients import Response
from unifyport.providers.contract import capabilities
from unifyport.providers.contract.base import Batch, ConnectorContext, Link
from unifyport.providers.contract.capabilities import (
    CONTACT_NOT_FOUND,
    CONVERSATION_NOT_FOUND,
    GROUP_NOT_FOUND,
    Sent,
    Sink,
    Target,
)
from unifyport.providers.contract.errors import ChannelError, LoggedOut, Rejected
from unifyport.providers.http import (
    UPLOAD_SECONDS,
    HttpApi,
    collect_pages,
    decode,
    nothing_applied,
    refuse_status,
)

from .platform import PICTURE

CALL_SECONDS = 10.0
POLL_SECONDS = 20.0
_NOT_FOUND = {
    "no such chat": CONVERSATION_NOT_FOUND,
    "no such person": CONTACT_NOT_FOUND,
    "no such group": GROUP_NOT_FOUND,
}


@attrs.frozen
class Endpoints:
    """`[providers.<channel>]`: what an operator may point elsewhere."""

    api_url: str = "https://reference.example"


class _Answer(msgspec.Struct):
    result: Any = None
    error: str = ""


class ReferenceConnector(
    capabilities.SendsText,
    capabilities.SendsFiles,
    capabilities.SendsContacts,
    capabilities.SendsReplies,
    capabilities.EditsMessages,
    capabilities.RevokesMessages,
    capabilities.ReactsToMessages,
    capabilities.PinsMessages,
    capabilities.DownloadsMedia,
    capabilities.ListsTemplates,
    capabilities.ListsConversations,
    capabilities.ReadsConversations,
    capabilities.ListsConversationMembers,
    capabilities.MarksRead,
    capabilities.ShowsTyping,
    capabilities.MarksUnread,
    capabilities.MutesConversations,
    capabilities.UnmutesConversations,
    capabilities.PinsConversations,
    capabilities.UnpinsConversations,
    capabilities.ListsLabels,
    capabilities.AssignsLabels,
    capabilities.WritesLabels,
    capabilities.DeletesLabels,
    capabilities.ListsContacts,
    capabilities.ReadsContacts,
    capabilities.ReadsBlocklist,
    capabilities.BlocksContacts,
    capabilities.UnblocksContacts,
    capabilities.NotesContacts,
    capabilities.ListsGroups,
    capabilities.ReadsGroups,
    capabilities.CreatesGroups,
    capabilities.LeavesGroups,
    capabilities.ChangesGroupMembers,
    capabilities.SetsGroupPictures,
    capabilities.ListsJoinRequests,
    capabilities.DecidesJoinRequests,
    capabilities.SetsJoinApproval,
    capabilities.InvitesToGroups,
):
    """One user of the platform, by a token, with every capability."""

    def __init__(self, context: ConnectorContext) -> None:
        self._token = self._token_of(context)
        self._url = context.endpoints.api_url
        self._http = HttpApi(context, parallel_sends=4)
        self._me = ""

    def _token_of(self, context: ConnectorContext) -> str:
        return str(context.credentials["token"])

    async def login(self) -> Identity:
        me = await self._ask("me")
        self._me = me["id"]
        return Identity(me["id"], display_name=me["name"])

    async def receive(self, link: Link) -> None:
        """The platform keeps what we have not confirmed: so it is confirmed when it is durable,
        by the next call.
        """
        confirm = 0
        while True:
            messages = await self._post("/kept", {"token": self._token, "confirm": confirm})
            link.observed()
            if messages:
                await link.deliver(Batch([parse(self._me, message) for message in messages]))
                confirm = messages[-1]["number"]

    async def aclose(self) -> None:
        await self._http.aclose()

    # -- the wire --------------------------------------------------------------------------------------------

    async def _ask(self, method: str, **arguments: Any) -> Any:
        return await self._post("/call", {"token": self._token, "method": method, "arguments": arguments})

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        """The result of a call. Raises a failure class."""
        seconds = CALL_SECONDS if path == "/call" else POLL_SECONDS
        return await self._answer(path, json=body, timeout=seconds)

    async def _answer(self, path: str, **options: Any) -> Any:
        answer = await self._http.call("POST", self._url + path, _Answer, refused=_refusal, **options)
        return answer.result

    # -- messages --------------------------------------------------------------------------------------------

    async def send_text(self, message: OutboundText) -> Sent:
        return await self._send(message)

    async def send_file(self, message: OutboundMedia) -> Sent:
        return await self._send(message)

    async def send_contacts(self, message: OutboundContacts) -> Sent:
        return await self._send(message)

    async def send_reply(self, message: OutboundMessage, quoted_message_id: str) -> Sent:
        return await self._send(message, quote=quoted_message_id)

    async def _send(self, message: OutboundMessage, **more: Any) -> Sent:
        if message.mentions:
            more["mentions"] = message.mentions
        if isinstance(message, OutboundContacts):
            more["cards"] = [vcard(contact) for contact in message.contacts]
        if isinstance(message, OutboundMedia):
            more |= {"kind": message.type, "file": await self._upload(message), "name": message.name}
            more["type"] = message.mime_type
            if message.voice is not None:
                more["seconds"] = message.voice.seconds
        return Sent(await self._ask("send", chat=message.conversation_id, text=message.text, **more))

    async def _upload(self, message: OutboundMedia) -> str:
        file, headers = FileBody(message.path, message.size), {"token": self._token}
        with nothing_applied():
            return str(await self._answer("/files", body=file, headers=headers, timeout=UPLOAD_SECONDS))

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        file, key = msgspec.json.decode(handle, type=tuple[str, str])
        url, headers = f"{self._url}/files/{file}", {"media-key": key}
        await self._http.download(url, sink, limit=limit, headers=headers, gone=(403, 404))

    async def edit_message(self, target: Target, content: str) -> None:
        await self._change_message(target, text=content)

    async def revoke_message(self, target: Target) -> None:
        await self._change_message(target, revoked=True)

    async def react_to_message(self, target: Target, emoji: str) -> None:
        await self._change_message(target, reaction=emoji)

    async def pin_message(self, target: Target, pinned: bool, duration_seconds: int | None) -> None:
        await self._change_message(target, pinned=pinned, seconds=duration_seconds)

    async def _change_message(self, target: Target, **change: Any) -> None:
        chat, message = target.conversation_id, target.message_id
        await self._ask("change_message", chat=chat, message=message, **change)

    async def list_message_templates(
        self, after: str | None, limit: int
    ) -> directory.Page[directory.MessageTemplate]:
        found = await self._ask("templates", after=after, limit=limit)
        templates = [directory.MessageTemplate(each["name"], each["language"]) for each in found["items"]]
        return directory.Page(templates, found["next"])

    # -- conversations ---------------------------------------------------------------------------------------

    async def list_conversations(
        self, types: list[str], label_id: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Conversation]:
        found = await self._ask("chats", kinds=types, label=label_id, after=after, limit=limit)
        return directory.Page([_conversation(chat) for chat in found["items"]], found["next"])

    async def get_conversation(self, conversation_id: str) -> directory.Conversation:
        return _conversation(await self._ask("chat", chat=conversation_id))

    async def list_conversation_members(
        self, conversation_id: str, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        found = await self._ask("chat_members", chat=conversation_id, after=after, limit=limit)
        members = [
            directory.ConversationMember(person["id"], person["name"], role="member")
            for person in found["items"]
        ]
        return directory.Page(members, found["next"])

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        await self._ask("change_chat", chat=conversation_id, unread=0, read_up_to=message_id)

    async def show_typing(self, conversation_id: str, message_id: str | None) -> None:
        await self._ask("change_chat", chat=conversation_id, typing=True)

    async def mark_conversation_unread(self, conversation_id: str) -> None:
        await self._ask("change_chat", chat=conversation_id, unread=1)

    async def mute_conversation(self, conversation_id: str, until: int | None) -> None:
        await self._ask("change_chat", chat=conversation_id, muted=True, until=until)

    async def unmute_conversation(self, conversation_id: str) -> None:
        await self._ask("change_chat", chat=conversation_id, muted=False)

    async def pin_conversation(self, conversation_id: str) -> None:
        await self._ask("change_chat", chat=conversation_id, pinned=True)

    async def unpin_conversation(self, conversation_id: str) -> None:
        await self._ask("change_chat", chat=conversation_id, pinned=False)

    async def list_labels(self, after: str | None, limit: int) -> directory.Page[directory.ConversationLabel]:
        found = await self._ask("labels", after=after, limit=limit)
        return directory.Page(
            [directory.ConversationLabel(**label) for label in found["items"]], found["next"]
        )

    async def set_label_members(self, label_id: str, action: str, conversation_ids: list[str]) -> None:
        await self._ask("label_chats", label=label_id, add=action == "add", chats=conversation_ids)

    async def upsert_label(self, label_id: str | None, name: str) -> directory.ConversationLabel:
        return directory.ConversationLabel(**await self._ask("write_label", label=label_id, name=name))

    async def delete_label(self, label_id: str) -> None:
        await self._ask("delete_label", label=label_id)

    # -- contacts --------------------------------------------------------------------------------------------

    async def list_contacts(
        self, q: str | None, updated_since: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Contact]:
        found = await self._ask("people", part=q, after=after, limit=limit)
        return directory.Page([_contact(person) for person in found["items"]], found["next"])

    async def get_contact(self, contact_id: str) -> directory.Contact:
        return _contact(await self._ask("person", person=contact_id))

    async def list_blocklist(self) -> directory.ContactBlocklist:
        async def fetch(after: str | None) -> tuple[list[dict[str, Any]], str | None]:
            found = await self._ask("people", part=None, after=after, limit=2)
            return found["items"], found["next"]

        people = await collect_pages(fetch)
        return directory.ContactBlocklist([person["id"] for person in people if person["blocked"]])

    async def block_contact(self, contact_id: str) -> None:
        await self._ask("change_person", person=contact_id, blocked=True)

    async def unblock_contact(self, contact_id: str) -> None:
        await self._ask("change_person", person=contact_id, blocked=False)

    async def set_contact_note(self, contact_id: str, note: str) -> None:
        await self._ask("change_person", person=contact_id, note=note)

    # -- groups ----------------------------------------------------------------------------------------------

    async def list_groups(self, after: str | None, limit: int) -> directory.Page[directory.Group]:
        found = await self._ask("groups", after=after, limit=limit)
        return directory.Page([_group(group) for group in found["items"]], found["next"])

    async def get_group(self, group_id: str) -> directory.Group:
        return _group(await self._ask("group", group=group_id))

    async def create_group(self, name: str, members: list[str]) -> str:
        return str(await self._ask("new_group", name=name, members=members))

    async def leave_group(self, group_id: str) -> None:
        await self._ask("change_group", group=group_id, left=True)

    async def update_group_members(self, group_id: str, action: str, member_id: str) -> None:
        await self._ask("change_member", group=group_id, action=action, person=member_id)

    async def update_group_info(
        self, group_id: str, name: str | None, description: str | None, avatar_url: str | None
    ) -> None:
        assert avatar_url is None
        change = {"name": name, "description": description}
        given = {field: value for field, value in change.items() if value is not None}
        await self._ask("change_group", group=group_id, **given)

    async def set_group_picture(self, group_id: str, picture: directory.Picture) -> None:
        content = base64.b64encode(picture.content).decode()
        await self._ask("change_group", group=group_id, picture=f"data:{picture.mime_type};base64,{content}")

    async def list_group_join_requests(self, group_id: str) -> list[directory.GroupJoinRequest]:
        return [
            directory.GroupJoinRequest(id_) for id_ in (await self._ask("group", group=group_id))["waiting"]
        ]

    async def update_group_join_requests(self, group_id: str, action: str, member_ids: list[str]) -> None:
        await self._ask("let_in", group=group_id, yes=action == "approve", people=member_ids)

    async def set_group_join_approval_mode(self, group_id: str, enabled: bool) -> None:
        await self._ask("change_group", group=group_id, approval=enabled)

    async def get_group_invite_code(self, group_id: str) -> directory.GroupInviteCode:
        group = await self._ask("group", group=group_id)
        return directory.GroupInviteCode(f"https://reference.example/join/{group['id']}", group["id"])


def _refusal(response: Response) -> ChannelError | None:
    """The platform refuses in the body of a 200."""
    if (failure := refuse_status(response)) is not None:
        return failure
    error = decode(response.body, _Answer).error
    if error == "unauthorized":
        return LoggedOut("invalid_credentials")
    return Rejected(_NOT_FOUND.get(error, error.replace(" ", "_")), error) if error else None


def _conversation(chat: dict[str, Any]) -> directory.Conversation:
    return directory.Conversation(
        conversation_id=chat["id"],
        type=chat["kind"],
        title=chat["title"],
        avatar_url=PICTURE,
        unread_count=chat["unread"],
        is_pinned=chat.get("pinned", False),
        is_muted=chat.get("muted", False),
        members_count=5,
        extra={"labels": chat["labels"]},
    )


def _contact(person: dict[str, Any]) -> directory.Contact:
    id_ = person["id"]
    return directory.Contact(
        id_,
        f"chat-{id_.removeprefix('person-')}",
        person["name"],
        id_,
        is_blocked=person["blocked"],
        extra={"note": person["note"]},
    )


def _group(group: dict[str, Any]) -> directory.Group:
    id_ = group["id"]
    return directory.Group(
        id_,
        id_,
        group["name"],
        group.get("picture", ""),
        description=group.get("description"),
        member_count=len(group["members"]),
    )


class _Message(msgspec.Struct):
    """What a message must have, and of which type: a text that is no text must not reach a customer."""

    number: int
    id: str
    chat: str
    sender: str = msgspec.field(name="from")
    text: str = ""
    kind: str = "text"
    file: str | None = None
    key: str = ""
    size: int = 0


def parse(me: str, item: dict[str, Any]) -> ProviderEvent:
    """A message as it comes. What cannot be read goes to quarantine and stops no other message."""
    raw = msgspec.json.encode(item)
    try:
        message = msgspec.convert(item, _Message)
    except msgspec.ValidationError as error:
        return Unparsed(dedupe_key("reference", me, raw.hex()), raw, str(error))
    content = Content(message.id, message.kind, message.text)  # type: ignore[arg-type]
    if message.file is not None:
        handle = msgspec.json.encode([message.file, message.key])
        content.attachments.append(Attachment(message.kind, message.file, size=message.size, handle=handle))
    return MessageReceived(
        dedupe_key("reference", me, message.id),
        Conversation(message.chat, "user"),
        Sender(message.sender, name=f"Name of {message.sender}"),
        content,
        sent_at=1_780_000_000_000 + message.number,
    )
