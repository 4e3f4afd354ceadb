"""One person with keys of XChat, and what `chat_xdk` makes in the form that the state takes."""

import base64
from collections.abc import Sequence
from typing import Any

from chat_xdk import Chat

from unifyport.providers.x.xchat.made import ActionSignature, WrappedKey

from .shapes import RegisteredKey


class Person:
    """One person, with the keys that are registered under `version`."""

    def __init__(self, user: str, version: int) -> None:
        self.user = user
        self.version = version
        self.chat = Chat()
        made = self.chat.generate_keypairs().public_key
        self.chat.set_identity(user, str(version))
        self.public = RegisteredKey(
            user, version, made.public_key, made.signing_public_key, made.identity_public_key_signature
        )

    def exported(self) -> str:
        """The private keys, as an operator may give them to a gateway."""
        return base64.b64encode(bytes(self.chat.export_keys() or b"")).decode()


def given_keys(people: Sequence[Person]) -> list[dict[str, str]]:
    return [
        {"user_id": each.user, "public_key": each.public.identity, "key_version": str(each.version)}
        for each in people
    ]


def wrapped_keys(made: dict[str, Any]) -> list[WrappedKey]:
    return [
        WrappedKey(each["user_id"], each["encrypted_key"], each["public_key_version"])
        for each in made["participant_keys"]
    ]


def signed_action(signed: dict[str, Any]) -> ActionSignature:
    return ActionSignature(
        signed["message_id"],
        signed["encoded_message_event_detail"],
        signed["signature"],
        signed["signature_version"],
        signed["public_key_version"],
    )
