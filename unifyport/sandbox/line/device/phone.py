"""The phones of the played LINE: they seal and open messages with their accounts' keys."""

import json
from typing import Any

import attrs

from unifyport.protocols.letter_sealing import group_keys, messages
from unifyport.protocols.letter_sealing.chunks import from_chunks, to_chunks
from unifyport.protocols.letter_sealing.content import parse_content, render_content
from unifyport.protocols.letter_sealing.keys import KeyPair, PublicKey, generate
from unifyport.providers.line.device import structures as line

from .world import Account, Group, GroupKey, World


class Phones:
    """What the phones of all accounts do with messages."""

    def __init__(self, world: World) -> None:
        self._world = world

    def write(
        self, sender: Account, to: str, content: dict[str, Any], *, plain: bool = False, **parts: Any
    ) -> line.Message:
        """A message from a phone, sealed unless the sender's or the receiver's Letter Sealing is off.

        `content` is what is sealed: `text`, `location`, `keyMaterial`; `parts` are fields of `Message`.
        """
        made = line.Message(sender=sender.mid, to=to, **parts)
        keys = None if plain or not content else self._keys(sender, to)
        if keys is None:
            place = content.get("location")
            location = None if place is None else line.Location(**place)
            return attrs.evolve(made, text=content.get("text"), location=location)
        address = messages.Address(sender.mid, to, made.content_type or 0)
        chunks = to_chunks(messages.seal(render_content(content), address, keys))
        return attrs.evolve(made, chunks=chunks, metadata={**(made.metadata or {}), "e2eeVersion": "2"})

    def open(self, message: line.Message) -> dict[str, Any]:
        """What a message says, as the phone that gets it reads it. Raises errors of `letter_sealing`."""
        if not message.chunks:
            place = message.location
            shown = {} if place is None else {"location": attrs.asdict(place)}
            return {"text": message.text, **shown}
        sealed = from_chunks(message.chunks)
        address = messages.Address(message.sender or "", message.to or "", message.content_type or 0)
        author = self._world.accounts[message.sender or ""].registered[sealed.sender_key_id]
        group = self._world.groups.get(message.to or "")
        if group is not None:
            keys = messages.keys_in_group(self._group_pair(group, sealed.receiver_key_id), author)
        else:
            receiver = self._world.accounts[message.to or ""]
            keys = messages.keys_from_user(_pair(receiver, sealed.receiver_key_id), author)
        return parse_content(messages.open_sealed(sealed, 2, address, keys))

    # -- keys -----------------------------------------------------------------------------------------------

    def _keys(self, sender: Account, to: str) -> messages.Keys | None:
        """None: this chat is not sealed. The phone's own pair is its newest, whatever devices registered."""
        if sender.key is None:
            return None
        own = sender.pairs[-1]
        group = self._world.groups.get(to)
        if group is not None:
            if group.stale or not group.keys:
                self.make_group_key(group, sender)
            return messages.keys_in_group(self._group_pair(group, group.keys[-1].id), own.public)
        key = self._world.accounts[to].key
        return None if key is None else messages.keys_to_user(own, key)

    def make_group_key(self, group: Group, creator: Account) -> None:
        """A phone makes the group another key."""
        made, own = generate(), creator.pairs[-1]
        sealed = {
            one.mid: (one.key.key_id, group_keys.seal_group_key(made, own, one.key))
            for one in self._world.members(group)
            if one.key is not None
        }
        key = GroupKey(self._world.new_key_id(), creator.mid, own.key_id, sealed)
        group.keys.append(key)
        group.private[key.id] = made.private
        group.stale = False

    def _group_pair(self, group: Group, key_id: int) -> KeyPair:
        """The pair of a group, which a phone has made or opens."""
        if key_id in group.private:
            return KeyPair(key_id, group.private[key_id])
        key = next(one for one in group.keys if one.id == key_id)
        creator: PublicKey = self._world.accounts[key.creator].registered[key.creator_key_id]
        for mid, (receiver_key_id, sealed) in key.sealed.items():
            for pair in self._world.accounts[mid].pairs:
                if pair.key_id == receiver_key_id:
                    return group_keys.open_group_key(sealed, key_id, pair, creator)
        raise ValueError("no phone of this group has its key")


def _pair(account: Account, key_id: int) -> KeyPair:
    for pair in account.pairs:
        if pair.key_id == key_id:
            return pair
    raise ValueError("the phone does not have this key")


def shown(message: line.Message, opened: dict[str, Any]) -> dict[str, Any]:
    """A message for the control port."""
    return {
        "id": message.id,
        "from": message.sender,
        "to": message.to,
        "content_type": message.content_type or 0,
        "sealed": bool(message.chunks),
        "content": json.loads(json.dumps(opened)),
        "metadata": dict(message.metadata or {}),
        "related_id": message.related_id,
    }
