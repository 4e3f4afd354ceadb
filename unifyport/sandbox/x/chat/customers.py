"""The people at the other end of XChat: they hold their own keys, and really encrypt, sign and verify.

Each is `chat_xdk` with keys of its own, which the server does not know. `told` is everything that a person
could decrypt and verify of a conversation.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any

import trio

from unifyport.protocols.xchat import MessageEvent, MessageEventSignature, encode_event
from unifyport.providers.x.xchat.contents import FILE

from .person import Person, given_keys, signed_action, wrapped_keys
from .shapes import ChatConversation, ChatEvent
from .state import ChatState
from .store import read_detail


class ChatCustomers:
    """`people`: those who have set up XChat, by the id of the user; the accounts of gateways among them."""

    def __init__(self, state: ChatState) -> None:
        self.state = state
        self.people: dict[str, Person] = {}

    def enrol(self, user: str) -> Person:
        """The person; sets up XChat for who has not. Nothing is kept in realms."""
        if user not in self.people:
            person = self.people[user] = Person(user, 1_700_000_000_000 + len(self.people))
            self.state.register(person.public)
        return self.people[user]

    def renew(self, user: str) -> Person:
        """The person registers other keys, under a newer version."""
        before = self.enrol(user)
        person = self.people[user] = Person(user, before.version + 1_000_000)
        self.state.register(person.public)
        return person

    async def keep_in_realms(self, user: str, passcode: str) -> None:
        """The person keeps the private keys in the realms behind a passcode. The realms must be up."""
        person = self.enrol(user)
        config = json.dumps(self.state.realms.config(user, person.version))

        def set_up() -> None:
            person.chat.update_config(config)
            person.chat.setup(passcode)

        await trio.to_thread.run_sync(set_up)
        person.public.in_realm = True

    # -- what people do --------------------------------------------------------------------------------------

    def write(
        self, sender: str, to: str, text: str, *, quoted: ChatEvent | None = None, files: Sequence[Any] = ()
    ) -> ChatEvent:
        """A message. `files`: attachments in the form of `chat_xdk`."""
        place, key = self._key(sender, to)
        chat = self.people[sender].chat
        attachments = list(files) or None
        if quoted is None:
            made = chat.encrypt_message(place.id, text, attachments=attachments, **key)
        else:
            made = chat.encrypt_reply(place.id, text, quoted.encoded, attachments=attachments, **key)
        return self._post(sender, place, made)

    def send_file(
        self, sender: str, to: str, text: str, content: bytes, *, kind: int = FILE, name: str
    ) -> ChatEvent:
        """A message with a file."""
        _, key = self._key(sender, to)
        encrypted = self.people[sender].chat.encrypt_stream(content, key["conversation_key"])
        file = {
            "attachment_type": "media",
            "media_hash_key": self.state.upload(encrypted),
            "media_type": kind,
            "width": 2,
            "height": 1,
            "filename": name,
            "filesize_bytes": len(content),
        }
        return self.write(sender, to, text, files=[file])

    def react(self, sender: str, target: ChatEvent, emoji: str, *, removed: bool = False) -> ChatEvent:
        place, key = self._key(sender, target.conversation)
        chat = self.people[sender].chat
        make = chat.encrypt_remove_reaction if removed else chat.encrypt_add_reaction
        named = {"conversation_id": place.id, "target_message_sequence_id": str(target.sequence)}
        return self._post(sender, place, make(None, emoji, **named, **key))

    def edit(self, sender: str, target: ChatEvent, text: str) -> ChatEvent:
        place, key = self._key(sender, target.conversation)
        named = {"conversation_id": place.id, "target_message_sequence_id": str(target.sequence)}
        made = self.people[sender].chat.encrypt_edit(updated_text=text, **named, **key)
        return self._post(sender, place, made)

    def delete(self, sender: str, target: ChatEvent, *, for_all: bool = True) -> ChatEvent:
        signed = self.people[sender].chat.prepare_message_delete(
            target.conversation, [str(target.sequence)], for_all
        )
        return self.state.delete(
            sender, target.conversation, [target.sequence], for_all=for_all, signed=signed_action(signed)
        )

    def read(self, reader: str, target: ChatEvent) -> ChatEvent | None:
        """The person has read up to an event, which X tells the others."""
        encoded = self.signed_read(reader, target.conversation, target.sequence)
        return self.state.mark_read(reader, target.conversation, target.sequence, encoded)

    def signed_read(self, reader: str, conversation: str, sequence: int) -> str:
        person, id_ = self.enrol(reader), f"read-{reader}-{sequence}"
        detail = read_detail(sequence)
        assert detail.read is not None
        at = detail.read.seen_at_millis
        line = f"MarkConversationReadEvent,{id_},{reader},{conversation},{sequence},{at}"
        signature = base64.b64encode(person.chat.sign(line.encode())).decode()
        return encode_event(
            MessageEvent(
                message_id=id_,
                sender_id=reader,
                conversation_id=conversation,
                detail=detail,
                signature=MessageEventSignature(signature, str(person.version), "7"),
            )
        )

    def make_group(self, creator: str, members: Sequence[str], title: str) -> ChatConversation:
        group = self.state.new_group_id()
        people = [self.enrol(user) for user in dict.fromkeys([creator, *members])]
        made = self.people[creator].chat.prepare_group_create(
            given_keys(people), group, [each.user for each in people], [creator], title=title
        )
        return self.state.create_group(
            creator,
            group,
            title,
            members={each.user for each in people},
            version=int(made["conversation_key_version"]),
            wrapped=wrapped_keys(made),
            signed=[signed_action(each) for each in made["action_signatures"]],
        )

    def rotate(self, sender: str, to: str) -> ChatEvent:
        """Give a conversation a new key."""
        place = self.state.conversation(sender, to)
        people = [self.enrol(user) for user in sorted({*place.members, sender})]
        made = self.people[sender].chat.prepare_conversation_key_change(
            given_keys(people), conversation_id=place.id
        )
        version = max(int(made["conversation_key_version"]), *(key + 1 for key in place.keys), 1)
        if version != int(made["conversation_key_version"]):
            return self.rotate(sender, to)  # two within one millisecond
        return self.state.add_keys(
            sender,
            place.id,
            version,
            wrapped=wrapped_keys(made),
            signed=[signed_action(each) for each in made["action_signatures"]],
        )

    # -- what people see -------------------------------------------------------------------------------------

    def told(self, user: str, conversation: str) -> list[dict[str, Any]]:
        """The events of a conversation that a person could verify and decrypt, oldest first."""
        place = self.state.conversation(user, conversation)
        found = self.people[user].chat.decrypt_events(
            [event.encoded for event in place.events], self._signing(place)
        )
        return [each["event"] for each in found["messages"]]

    def file(self, user: str, conversation: str, media_hash: str, version: str) -> bytes:
        """A file of a conversation, decrypted by a person."""
        place = self.state.conversation(user, conversation)
        keys = self.people[user].chat.extract_conversation_keys(
            [event.encoded for event in place.keys.values()]
        )
        return bytes(
            self.people[user].chat.decrypt_stream(self.state.files[media_hash], keys["keys"][version])
        )

    # -- their parts -----------------------------------------------------------------------------------------

    def _key(self, sender: str, to: str) -> tuple[ChatConversation, dict[str, Any]]:
        """The newest key of a conversation, which is given one if it has none."""
        self.enrol(sender)
        place = self.state.conversation(sender, to)
        if not place.keys:
            self.rotate(sender, place.id)
        newest = place.keys[max(place.keys)]
        found = self.people[sender].chat.extract_conversation_keys([newest.encoded])
        version = str(newest.key_version)
        return place, {
            "conversation_key": found["keys"][version],
            "conversation_key_version": version,
        }

    def _post(self, sender: str, place: ChatConversation, made: Any) -> ChatEvent:
        return self.state.post(
            sender,
            place.id,
            message_id=made.message_id,
            content=made.encrypted_content,
            signature=made.encoded_event_signature,
        )

    def _signing(self, place: ChatConversation) -> list[dict[str, str]]:
        return [
            {
                "user_id": key.user,
                "public_key_version": str(key.version),
                "public_key": key.signing,
                "identity_public_key": key.identity,
                "identity_public_key_signature": key.binding,
            }
            for user in place.members
            for key in self.state.keys_of(user)
        ]
