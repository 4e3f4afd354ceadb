"""The talk service: what each call does, or how it is refused. Strict about keys, membership and blocks.

A sealed message must be sealed with the keys that are registered now: of its sender (83), of its receiver
(84), of its group (99). A user whose Letter Sealing is off gets no sealed message (88).
"""

from collections.abc import Callable
from typing import Any

from unifyport.protocols.letter_sealing.chunks import from_chunks
from unifyport.protocols.letter_sealing.errors import LetterSealingError
from unifyport.providers.line.device import call_structures as of
from unifyport.providers.line.device import history_structures as held
from unifyport.providers.line.device import structures as line

from . import shapes
from .keys import KeyService
from .refusals import Refused
from .world import Account, Device, World

READ_BY_US, READ_BY_THEM = 40, 55
UNSENT_BY_US, UNSENT_BY_THEM = 64, 65
REACTION_OF_OURS, REACTION_OF_THEIRS = 139, 140
BLOCKED, UNBLOCKED = 6, 7


class TalkService:
    """All calls but `sync`, which waits. `carry_out` returns what stands in the field `success`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.refusals: dict[str, int] = {}  # the code with which the next call of a method is refused
        keys = KeyService(world)
        self.calls: dict[str, Callable[[Device, Any], Any]] = {
            "logoutV2": lambda device, _: world.log_out(device),
            "getLastOpRevision": lambda device, _: device.account.revision,
            "getProfile": lambda device, _: shapes.profile(device.account),
            "sendMessage": self._send,
            "sendChatChecked": self._read,
            "unsendMessage": self._unsend,
            "react": self._react,
            "cancelReaction": self._react,
            "getAllContactIds": lambda device, _: tuple(device.account.contacts),
            "getBlockedContactIds": lambda device, _: tuple(sorted(device.account.blocked)),
            "getContact": lambda device, asked: self._contact(device.account, asked.mid),
            "getContacts": self._contacts,
            "blockContact": lambda device, asked: self._block(device.account, asked, True),
            "unblockContact": lambda device, asked: self._block(device.account, asked, False),
            "getChats": self._chats,
            "getAllChatMids": self._chat_mids,
            "getMessageBoxes": self._boxes,
            "getPreviousMessagesV2WithRequest": self._previous,
            "negotiateE2EEPublicKey": keys.negotiate,
            "getE2EEPublicKey": keys.public_key,
            "getE2EEPublicKeys": lambda device, _: keys.own(device.account),
            "getLastE2EEPublicKeys": keys.member_keys,
            "registerE2EEPublicKey": keys.register,
            "getLastE2EEGroupSharedKey": keys.last_group_key,
            "getE2EEGroupSharedKey": keys.group_key,
            "registerE2EEGroupKey": keys.register_group_key,
        }

    def carry_out(self, name: str, device: Device, arguments: Any) -> Any:
        """Raises `Refused`."""
        if (code := self.refusals.pop(name, None)) is not None:
            raise Refused(code, "an order")
        return self.calls[name](device, arguments)

    # -- messages -------------------------------------------------------------------------------------------

    def _send(self, device: Device, asked: of.SendMessageArguments) -> line.Message:
        sender, message = device.account, asked.message
        if message is None or not message.to:
            raise Refused(0, "message")
        self._check_recipient(sender, message.to)
        self._check_seal(sender, message)
        if not message.chunks and not message.content_type and not message.text:
            raise Refused(0, "text")
        if message.related_id and message.related_id not in self._world.messages:
            raise Refused(64, "related message")
        made = self._world.new_message(message, sender)
        self._world.sent.append({"account": sender.mid, "message": made, "req_seq": asked.req_seq})
        self._world.deliver(made, sender, req_seq=asked.req_seq)
        return made

    def _check_recipient(self, sender: Account, to: str) -> None:
        group = self._world.groups.get(to)
        if group is not None:
            if sender.mid not in group.members:
                raise Refused(10, "not a member")
        elif to not in self._world.accounts:
            raise Refused(5, "no such user")

    def _check_seal(self, sender: Account, message: line.Message) -> None:
        if not message.chunks:
            return
        try:
            sealed = from_chunks(message.chunks)
        except LetterSealingError as error:
            raise Refused(85, str(error)) from None
        if (message.metadata or {}).get("e2eeVersion") != "2":
            raise Refused(86, "e2eeVersion")
        if sender.key is None:
            raise Refused(87, "sender disabled")
        if sealed.sender_key_id != sender.key.key_id:
            raise Refused(83, "update sender key")
        group = self._world.groups.get(message.to or "")
        if group is not None:
            if group.stale or not group.keys or sealed.receiver_key_id != group.keys[-1].id:
                raise Refused(99, "recreate group key")
            return
        key = self._world.accounts[message.to or ""].key
        if key is None:
            raise Refused(88, "receiver disabled")
        if sealed.receiver_key_id != key.key_id:
            raise Refused(84, "update receiver key")

    def _message(self, id_: str) -> line.Message:
        if id_ not in self._world.messages:
            raise Refused(64, "message not found")
        return self._world.messages[id_]

    def _read(self, device: Device, asked: of.SendChatCheckedArguments) -> None:
        reader, chat = device.account, asked.chat_mid
        self._check_recipient(reader, chat)
        self._world.tell(reader, READ_BY_US, param1=chat, param2=asked.message_id, req_seq=asked.req_seq)
        for account in self._world.audience(chat, reader):
            shown = chat if chat in self._world.groups else reader.mid
            self._world.tell(account, READ_BY_THEM, param1=shown, param2=reader.mid, param3=asked.message_id)

    def _unsend(self, device: Device, asked: of.UnsendMessageArguments) -> None:
        sender, message = device.account, self._message(asked.message_id)
        if message.sender != sender.mid:
            raise Refused(28, "not your message")
        to = message.to or ""
        self._world.tell(sender, UNSENT_BY_US, param1=to, param2=message.id, req_seq=asked.req_seq)
        for account in self._world.audience(to, sender):
            self._world.tell(
                account, UNSENT_BY_THEM, param1=self.chat_for(account, message), param2=message.id
            )

    def _react(self, device: Device, asked: of.ReactArguments | of.CancelReactionArguments) -> None:
        assert asked.request is not None
        kind = getattr(asked.request, "reaction", None)
        message = self._message(str(asked.request.message_id))
        self.react(device.account, message, kind.predefined if kind else None, asked.request.req_seq)

    def react(self, account: Account, message: line.Message, kind: int | None, req_seq: int | None) -> None:
        """`account` sets a reaction, or takes it back."""
        current = f'"predefinedReactionType":{kind}' if kind is not None else ""
        everyone = {account.mid: account, message.sender or "": self._world.accounts[message.sender or ""]}
        everyone |= {one.mid: one for one in self._world.audience(message.to or "", account)}
        for one in everyone.values():
            chat = self.chat_for(one, message)
            said = f'{{"chatMid":"{chat}","curr":{{{current}}}}}'
            if one is account:
                self._world.tell(one, REACTION_OF_OURS, param1=message.id, param2=said, req_seq=req_seq)
            else:
                self._world.tell(one, REACTION_OF_THEIRS, param1=message.id, param2=said, param3=account.mid)

    def chat_for(self, account: Account, message: line.Message) -> str:
        """The chat of a message as one of its people sees it."""
        to = message.to or ""
        if to in self._world.groups:
            return to
        return (message.sender or "") if to == account.mid else to

    # -- people and chats -----------------------------------------------------------------------------------

    def _contact(self, account: Account, mid: str) -> line.Contact:
        found = self._world.accounts.get(mid)
        if found is None:
            raise Refused(5, "no such user")
        return line.Contact(
            mid=mid,
            status=1,
            display_name=found.name,
            status_message=found.status_message or None,
            overridden=account.contacts.get(mid) or None,
            picture_path=found.picture_path or None,
        )

    def _contacts(self, device: Device, asked: of.ContactsArguments) -> tuple[line.Contact, ...]:
        known = [mid for mid in asked.mids if mid in self._world.accounts]
        return tuple(self._contact(device.account, mid) for mid in known)

    def _block(self, account: Account, asked: of.BlockContactArguments, blocked: bool) -> None:
        if asked.mid not in self._world.accounts:
            raise Refused(5, "no such user")
        (account.blocked.add if blocked else account.blocked.discard)(asked.mid)
        self._world.tell(account, BLOCKED if blocked else UNBLOCKED, param1=asked.mid, req_seq=asked.req_seq)

    def _chats(self, device: Device, asked: of.GetChatsArguments) -> of.GetChatsAnswer:
        request = asked.request or of.GetChatsRequest()
        known = [self._world.groups[mid] for mid in request.mids if mid in self._world.groups]
        mine = [group for group in known if device.account.mid in group.members]
        shown = [shapes.chat(group, request.with_members) for group in mine]
        return of.GetChatsAnswer(tuple(shown))

    def _chat_mids(self, device: Device, asked: of.GetAllChatMidsArguments) -> of.GetAllChatMidsAnswer:
        groups = self._world.groups.values()
        mine = frozenset(group.mid for group in groups if device.account.mid in group.members)
        return of.GetAllChatMidsAnswer(mine, frozenset())

    def _boxes(self, device: Device, asked: held.MessageBoxesArguments) -> held.MessageBoxes:
        request = asked.request or held.MessageBoxesRequest()
        chats: dict[str, list[line.Message]] = {}
        for message in self._world.messages.values():
            if self._sees(device.account, message):
                chats.setdefault(self.chat_for(device.account, message), []).append(message)
        boxes = [
            held.MessageBox(mid, messages=tuple(reversed(messages[-request.messages :])))
            for mid, messages in chats.items()
        ]
        return held.MessageBoxes(tuple(boxes[: request.limit]), len(boxes) > request.limit)

    def _previous(self, device: Device, asked: held.PreviousMessagesArguments) -> tuple[line.Message, ...]:
        request = asked.request
        assert request is not None
        end = request.end.id or 0 if request.end is not None else 0
        found = [
            message
            for message in self._world.messages.values()
            if self._sees(device.account, message)
            and self.chat_for(device.account, message) == request.mid
            and int(message.id or 0) < end
        ]
        return tuple(reversed(found[-request.count :]))

    def _sees(self, account: Account, message: line.Message) -> bool:
        group = self._world.groups.get(message.to or "")
        if group is not None:
            return account.mid in group.members
        return account.mid in (message.sender, message.to)
