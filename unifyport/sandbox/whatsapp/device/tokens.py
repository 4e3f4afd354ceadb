"""Trusted-contact tokens: who gives one allows the other to write first.

https://github.com/tulir/whatsmeow (`tctoken.go`, `notification.go`): `iq xmlns="privacy"` with `<tokens>`,
and `<notification type="privacy_token">` to the devices of whom the token is for.
"""

import os
import time

from unifyport.protocols.binary_node import Node

from .directory import Account, Device, Directory
from .stanzas import notification, now


def give_tokens(directory: Directory, device: Device, tokens: Node) -> None:
    """Give each person that `<tokens>` names a token for writing to the device's account."""
    for token in tokens.all("token"):
        account = directory.of_jid(token.jid("jid"))
        if account is not None and account is not device.account:
            give_token(device.account, account)


def give_token(giver: Account, holder: Account) -> bytes:
    """A new token, of which the holder's devices are told."""
    token = os.urandom(16)
    holder.tokens[giver] = token, time.time()
    lid = holder.lid_addressed
    attrs = {"from": str(giver.jid(lid=lid))} | ({} if lid else {"sender_lid": str(giver.lid_jid)})
    content = Node("token", {"type": "trusted_contact", "t": now()}, token)
    for device in holder.companions:
        device.deliver(notification("privacy_token", attrs, [Node("tokens", {}, [content])]))
    return token
