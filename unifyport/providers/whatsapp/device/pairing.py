"""The end of linking: the phone's signature of this device, our own, and the session that begins with it.

https://github.com/tulir/whatsmeow (`pair.go`)
"""

import trio

from unifyport.model.account import Identity
from unifyport.model.unit import SessionChange
from unifyport.protocols.binary_node import PHONE, Jid, Node
from unifyport.protocols.whatsapp.login_pb2 import ClientPairingProps
from unifyport.protocols.whatsapp.pairing import PairingRefused, accept_pairing
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.contract.login import Authorization
from unifyport.providers.contract.session import Session

from .addresses import SERVER, read_jid
from .errors import login_failure
from .keys import RECORD, DeviceKeys
from .people import learn
from .records import Draft, Records
from .socket import NodeSocket

SIGN_SECONDS = 10.0  # for the platform to take our signature


class Pairing:
    """`phone`: digits of the number that is to be linked; empty: any."""

    def __init__(self, session: Session, keys: DeviceKeys, phone: str) -> None:
        self._session = session
        self._keys = keys
        self._phone = phone

    async def complete(self, socket: NodeSocket, node: Node) -> Authorization:
        """Check the phone's signature, and keep the keys. Raises `Rejected`."""
        success = node.child("pair-success")
        assert success is not None
        device = success.child("device")
        jid = read_jid(device.get("jid")) if device is not None else None
        lid = read_jid(device.get("lid")) if device is not None else None
        if jid is None or jid.server != PHONE or not jid.user.isdigit():
            raise Transient("malformed_answer")
        if self._phone and jid.user != self._phone:
            raise Rejected("another_phone", "the code was typed on the phone of another number")
        keys = self._keys
        body = success.bytes_of("device-identity") or b""
        try:
            paired = accept_pairing(body, adv_secret=keys.adv_secret, identity=keys.identity_pair)
        except PairingRefused as refused:
            error = Node("error", {"code": str(refused.code), "text": refused.text})
            await socket.send(Node("iq", {"to": SERVER, "type": "error", "id": node.get("id")}, [error]))
            raise Rejected("pairing_refused", "the phone's signature of this device is not valid") from None
        keys.account, keys.jid, keys.lid = paired.account, str(jid), str(lid) if lid is not None else ""
        keys.lid_migrated = _lid_migrated(success)
        name = success.child("biz")
        await self._keep(jid, lid)
        identity = Node("device-identity", {"key-index": str(paired.key_index)}, paired.reply)
        sign = Node("pair-device-sign", {}, [identity])
        await socket.send(Node("iq", {"to": SERVER, "type": "result", "id": node.get("id")}, [sign]))
        await self._wait_for_restart(socket)
        return Authorization(identity_of(keys, name.get("name") if name is not None else ""))

    async def _keep(self, jid: Jid, lid: Jid | None) -> None:
        records = Records(self._session)
        draft = Draft(records)
        await learn(draft, jid, lid)
        await records.commit([SessionChange(*RECORD, self._keys.dump()), *draft.changes])

    async def _wait_for_restart(self, socket: NodeSocket) -> None:
        """The platform ends the connection with 515 once it has taken our signature. Raises `Rejected` if it
        does not take it.
        """
        with trio.move_on_after(SIGN_SECONDS):
            while True:
                try:
                    node, _ = await socket.receive()
                except Transient:
                    return
                if node.tag == "failure":
                    raise login_failure(node)
                if node.tag == "stream:error":
                    if node.number("code") == 515:
                        return
                    raise Rejected("pairing_refused", "WhatsApp did not take this device")


def identity_of(keys: DeviceKeys, name: str = "") -> Identity:
    """The account, by its phone number."""
    number = keys.me.user
    return Identity(number, display_name=name, phone=f"+{number}")


def _lid_migrated(success: Node) -> bool:
    """Whether persons are named by LID: a property of the account."""
    body = success.bytes_of("client-props")
    if body is None:
        return False
    try:
        return ClientPairingProps.FromString(body).isChatDbLidMigrated
    except ValueError:
        return False
