"""Linking a device, by a QR code that the phone scans or a code that is typed on the phone.

    platform                              this device
    ----------------------------------    ------------------------------------------------------------
    pair-device with six references       shows them as QR codes, the first for 60 s, the others for 20 s;
                                          or asks for a link code and shows that
    primary_hello (the code was typed)    companion_finish, which ends in a secret that both know
    pair-success                          checks that the phone signed our identity, signs it, too, and keeps
                                          its keys; then it closes, and connects as a linked device

When its references are used up the platform ends the connection: another one brings new ones.
https://github.com/tulir/whatsmeow (`pair.go`, `pair-code.go`)
"""

import time

import trio

from unifyport.protocols.binary_node import PHONE, Jid, Node
from unifyport.protocols.whatsapp.link_code import Companion, LinkCodeError
from unifyport.protocols.whatsapp.pairing import client_type, qr_text
from unifyport.protocols.whatsapp.payload import Registration, registration_payload
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.contract.login import Authorization, Dialog

from .addresses import SERVER
from .appearance import appearance_of
from .errors import login_failure, stream_failure
from .keys import DeviceKeys
from .pairing import Pairing
from .socket import NodeSocket, connect

FIRST_SECONDS, NEXT_SECONDS = 60.0, 20.0  # how long a reference can be scanned
CODE_SECONDS = 160.0  # until the platform ends the connection on which a code was made
_PASSKEY = ("passkey_prologue_request", "passkey_request")


class Linking:
    """One login with a human. `phone`: digits; empty: by a QR code."""

    def __init__(self, context: ConnectorContext, dialog: Dialog, phone: str = "") -> None:
        self._context = context
        self._dialog = dialog
        self._phone = phone
        self._keys = DeviceKeys.generate(int(time.time()))
        self._appearance = appearance_of(context.endpoints)
        self._code: Companion | None = None
        self._refs: list[str] = []
        self._fresh = trio.Event()  # there are new references
        self._requests = 0

    async def run(self) -> Authorization:
        """Raises a failure class. The dialog bounds the time."""
        while True:
            socket = await self._connect()
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._show)
                    authorization = await self._follow(socket)
                    nursery.cancel_scope.cancel()
            finally:
                socket.close()
            if authorization is not None:
                return authorization
            self._refs, self._fresh = [], trio.Event()

    async def _connect(self) -> NodeSocket:
        keys, signed = self._keys, self._keys.signed_keys[-1]
        registration = Registration(
            registration_id=keys.registration_id,
            identity=keys.identity_pair.public,
            signed_prekey_id=signed.id,
            signed_prekey=signed.pair.public,
            signature=signed.signature,
        )
        payload = registration_payload(self._appearance, registration)
        return await connect(self._context, keys.noise_pair, payload)

    async def _show(self) -> None:
        """Show each reference while it can be scanned. With a link code there is nothing to replace."""
        await self._fresh.wait()
        if self._phone:
            return
        lifetime = FIRST_SECONDS
        for ref in self._refs:
            text = qr_text(
                ref,
                noise=self._keys.noise_pair.public,
                identity=self._keys.identity_pair.public,
                adv_secret=self._keys.adv_secret,
                browser=self._appearance.browser,
            )
            await self._dialog.show_qr(text, lifetime)
            await trio.sleep(lifetime)
            lifetime = NEXT_SECONDS

    async def _follow(self, socket: NodeSocket) -> Authorization | None:
        """Read until the device is linked. None: the references are used up."""
        while True:
            try:
                node, _ = await socket.receive()
            except Transient as error:
                if self._refs and error.reason == "connection_lost":
                    return None
                raise
            if node.tag == "failure":
                raise login_failure(node)
            if node.tag == "stream:error":
                if node.number("code") == 515 and self._refs:
                    return None
                raise stream_failure(node)
            if node.child("pair-success") is not None:
                return await Pairing(self._context.session, self._keys, self._phone).complete(socket, node)
            await self._take(socket, node)

    async def _take(self, socket: NodeSocket, node: Node) -> None:
        if node.tag == "iq":
            pair = node.child("pair-device")
            if node.get("type") in ("set", "get"):
                await socket.send(_result(node))
            if pair is not None:
                self._refs = [ref.bytes_of().decode("ascii", "replace") for ref in pair.all("ref")]  # type: ignore[union-attr]
                self._fresh.set()
                if self._phone:
                    await self._ask_for_code(socket)
            hello = node.child("link_code_companion_reg")
            if hello is not None and self._code is not None and hello.get("stage") != "companion_finish":
                await self._dialog.show_code(f"{self._code.code[:4]}-{self._code.code[4:]}", CODE_SECONDS)
            if node.get("type") == "error":
                error = node.child("error")
                code = error.number("code") if error is not None else 0
                if code == 429:
                    raise Rejected("too_many_codes", "WhatsApp makes no more link codes for now", code=code)
                raise Rejected("code_refused", f"WhatsApp refused the link code ({code})", code=code)
        elif node.tag == "notification":
            await socket.send(_ack(node))
            if node.get("type") in _PASSKEY:
                raise Rejected("passkey_required", "this account wants a passkey to link a device")
            if node.get("type") == "link_code_companion_reg" and self._code is not None:
                await self._finish_code(socket, node)

    # -- by a code ------------------------------------------------------------------------------------------

    async def _ask_for_code(self, socket: NodeSocket) -> None:
        self._code = await trio.to_thread.run_sync(Companion.start)  # PBKDF2 takes 50 ms
        name, browser = self._appearance.name, self._appearance.browser
        await self._ask(
            socket,
            "companion_hello",
            {"should_show_push_notification": "true"},
            Node("link_code_pairing_wrapped_companion_ephemeral_pub", {}, self._code.hello),
            Node("companion_server_auth_key_pub", {}, self._keys.noise_pair.public),
            Node("companion_platform_id", {}, client_type(browser).encode()),
            Node("companion_platform_display", {}, f"{browser.title()} ({name})".encode()),
            Node("link_code_pairing_nonce", {}, b"\0"),
        )

    async def _finish_code(self, socket: NodeSocket, notification: Node) -> None:
        """The code was typed on the phone: answer with our keys, encrypted by it."""
        assert self._code is not None
        found = notification.child("link_code_companion_reg")
        if found is None:
            raise Transient("malformed_answer")
        wrapped = found.bytes_of("link_code_pairing_wrapped_primary_ephemeral_pub") or b""
        primary = found.bytes_of("primary_identity_pub") or b""
        ref = found.bytes_of("link_code_pairing_ref") or b""
        try:
            bundle, self._keys.adv_secret = await trio.to_thread.run_sync(
                self._code.finish, wrapped, primary, self._keys.identity_pair
            )
        except LinkCodeError:
            raise Rejected("code_refused", "the phone answered with other keys") from None
        await self._ask(
            socket,
            "companion_finish",
            {},
            Node("link_code_pairing_wrapped_key_bundle", {}, bundle),
            Node("companion_identity_public", {}, self._keys.identity_pair.public),
            Node("link_code_pairing_ref", {}, ref),
        )

    async def _ask(self, socket: NodeSocket, stage: str, more: dict[str, str], *content: Node) -> None:
        self._requests += 1
        attributes = {"jid": str(Jid(self._phone, PHONE)), "stage": stage, **more}
        asked = Node("link_code_companion_reg", attributes, content)
        head = {"id": f"link.{self._requests}", "to": SERVER, "type": "set", "xmlns": "md"}
        await socket.send(Node("iq", head, [asked]))


def _result(node: Node) -> Node:
    return Node("iq", {"to": node.get("from", SERVER), "type": "result", "id": node.get("id")})


def _ack(node: Node) -> Node:
    attributes = {"class": "notification", "id": node.get("id"), "to": node.get("from", SERVER)}
    return Node("ack", attributes | {"type": node.get("type")})
