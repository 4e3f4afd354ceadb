"""A device removes itself from the account's list of devices.

https://github.com/tulir/whatsmeow (`client.go`, `Logout`)
"""

import contextlib

import trio

from unifyport.protocols.binary_node import Node
from unifyport.providers.contract.errors import LoggedOut, Transient

from .addresses import SERVER
from .link import DeviceLink

ANSWER_SECONDS = 5.0


async def unlink(link: DeviceLink) -> None:
    """Ask for it, and wait for the answer for a while: the platform may close the connection instead."""
    removed = {"jid": str(link.keys.me), "reason": "user_initiated"}
    request = {"id": "unlink", "to": SERVER, "type": "set", "xmlns": "md"}
    await link.socket.send(Node("iq", request, [Node("remove-companion-device", removed)]))
    with contextlib.suppress(Transient, LoggedOut), trio.move_on_after(ANSWER_SECONDS):
        while (await link.socket.receive())[0].tag not in ("iq", "stream:error"):
            continue
