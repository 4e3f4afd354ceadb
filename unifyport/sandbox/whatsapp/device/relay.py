"""The relay: passes stanzas of linked devices to the modules that handle them.

Stanzas that a device has to acknowledge are kept until it does (`Pending`).

Everything here happens at once, without waiting: a stanza is handled before the next one of any device.
"""

import contextlib
import hmac
from collections import deque

from unifyport.protocols.binary_node import MalformedJid, MalformedNode, Node

from ...platform import KEPT
from . import devices
from .directory import Account, Device, Directory
from .groups import Groups
from .link import Link
from .messages import Messages
from .pairing import Pairing
from .people import answer_usync
from .prekeys import PreKeys
from .receipts import Receipts
from .settings import Settings
from .stanzas import SERVER, Refused, error, now, result

BATCH = 100


class Relay:
    """`seen`: each stanza of a client, for tests. `muted`, `limited`: xmlns of queries that get no answer, or
    are refused with 429. `checks_payload`: a login that no browser makes is accepted, and then ignored.
    """

    def __init__(self, settings: Settings) -> None:
        self.directory = Directory()
        self.groups = Groups(self.directory)
        self.prekeys = PreKeys(self.directory)
        self.messages = Messages(self.directory, self.groups)
        self.receipts = Receipts(self.directory, self.groups)
        self.pairing = Pairing(self.directory)
        self.settings = settings
        self.seen: deque[tuple[Device | None, Node]] = deque(maxlen=KEPT)
        self.muted: set[str] = set()
        self.limited: set[str] = set()
        self.checks_payload = False

    # -- connections -----------------------------------------------------------------------------------------

    def open(self, link: Link) -> Device | None:
        """Begin a connection: the linking of a device, or the login of one. None for no such device."""
        payload = link.hello.payload
        if payload.HasField("devicePairingData"):
            self.pairing.begin(link)
            return None
        account = self.directory.of_phone(str(payload.username))
        device = account.devices.get(payload.device) if account is not None else None
        if account is not None and account.refusal is not None:
            link.push(Node("failure", account.refusal))
            link.close()
        elif device is None or not hmac.compare_digest(device.noise_key, link.hello.static):
            link.push(Node("failure", {"reason": "401", "location": "rva"}))
            link.close()
        else:
            self._log_in(device, link)
            return device
        return None

    def _log_in(self, device: Device, link: Link) -> None:
        previous = device.receiver
        if isinstance(previous, Link):
            previous.push(Node("stream:error", {}, [Node("conflict", {"type": "replaced"})]))
            previous.close()
        device.logins += 1
        payload = link.hello.payload
        if self.checks_payload:
            link.silent = payload.userAgent.HasField("phoneID") or payload.lc <= device.last_counter
        device.last_counter = payload.lc
        attrs = {"t": now(), "lid": str(device.lid_jid), "props": "27", "companion_enc_static": ""}
        link.push(Node("success", attrs))
        kept = device.pending.hold_back()
        device.receiver = link
        if kept:
            link.push(_offline_preview(kept))
        else:
            link.push(Node("ib", {"from": SERVER}, [Node("offline", {"count": "0"})]))
        self.prekeys.warn(device) if device.logins > 1 else None

    def leave(self, link: Link, device: Device | None) -> None:
        """A connection has ended."""
        self.pairing.end(link)
        if device is not None and device.receiver is link:
            device.receiver = None
            device.available = False

    def unlink(self, device: Device) -> None:
        """The account's owner removes a device."""
        device.account.devices.pop(device.number, None)
        devices.announce(device, "remove")
        if isinstance(device.receiver, Link):
            conflict = Node("conflict", {"type": "device_removed"})
            device.receiver.push(Node("stream:error", {"code": "401"}, [conflict]))
            device.receiver.close()

    # -- stanzas ---------------------------------------------------------------------------------------------

    def handle(self, link: Link, device: Device | None, node: Node) -> None:
        """Handle a stanza. What is malformed is dropped, as an answer to it has no meaning."""
        self.seen.append((device, node))
        if link.silent:
            return
        with contextlib.suppress(MalformedNode, MalformedJid):
            if node.tag == "iq":
                self._iq(link, device, node)
            elif device is not None:
                self._stanza(link, device, node)

    def _stanza(self, link: Link, device: Device, node: Node) -> None:
        match node.tag:
            case "message":
                link.push(self.messages.take(device, node))
            case "receipt":
                link.push(self.receipts.take(device, node))
            case "ack":
                device.pending.acknowledge(node.get("class"), node)
            case "presence":
                self.settings.presence(self.directory, device, node)
            case "chatstate":
                self.settings.chat_state(self.directory, device, node)
            case "ib" if (batch := node.child("offline_batch")) is not None:
                link.batches = True
                self._send_kept(link, device, batch.number("count", BATCH))

    def _iq(self, link: Link, device: Device | None, iq: Node) -> None:
        if iq.get("type") in ("result", "error"):
            if iq.child("pair-device-sign") is not None:
                self._link(link, iq)
            return
        if iq.get("xmlns") in self.muted:
            return
        try:
            answer = self._answer(link, device, iq)
        except Refused as refused:
            link.push(error(iq, refused))
            return
        link.push(result(iq, answer))
        if iq.get("xmlns") == "passive" and iq.child("active") and device is not None and not link.batches:
            self._send_kept(link, device, len(device.pending))

    def _answer(self, link: Link, device: Device | None, iq: Node) -> tuple[Node, ...]:
        xmlns = iq.get("xmlns")
        if xmlns in self.limited:
            raise Refused(429, "rate-overlimit")
        if xmlns == "md" and iq.child("link_code_companion_reg") is not None:
            return self.pairing.answer(link, iq)
        if device is None:
            raise Refused(401, "not-authorized")
        match xmlns:
            case "encrypt":
                return self.prekeys.answer(device, iq)
            case "usync":
                return answer_usync(self.directory, iq)
            case "w:g2":
                return self.groups.answer(device, iq)
            case "w:profile:picture" if iq.get("target"):
                return self.groups.set_picture(device, iq)
            case "md" if iq.child("remove-companion-device") is not None:
                self.unlink(device)
                return ()
        return self.settings.answer(self.directory, device, iq)

    def _link(self, link: Link, answer: Node) -> None:
        try:
            device = self.pairing.complete(link, answer)
        except Refused:
            link.close()
            return
        devices.announce(device, "add")
        link.push(Node("stream:error", {"code": "515"}))
        link.close()

    def _send_kept(self, link: Link, device: Device, count: int) -> None:
        """Send some of what was kept; when there is no more, say so, else say how much there is."""
        for node in device.pending.next_batch(count):
            link.push(node)
        left = device.pending.held_back
        if left:
            link.push(_offline_preview(left))
        else:
            link.push(Node("ib", {"from": SERVER}, [Node("offline", {"count": str(len(device.pending))})]))

    def stream_error(self, device: Device, attrs: dict[str, str], content: tuple[Node, ...] = ()) -> None:
        """End a device's connection with a `<stream:error>`."""
        if isinstance(device.receiver, Link):
            device.receiver.push(Node("stream:error", attrs, content or None))
            device.receiver.close()

    def account(self, phone: str) -> Account:
        """Raises `ValueError`."""
        account = self.directory.of_phone(phone)
        if account is None:
            raise ValueError(f"phone: there is no account {phone}")
        return account


def _offline_preview(kept: list[Node]) -> Node:
    def count(name: str) -> str:
        return str(sum(node.tag == name for node in kept))

    counts = {
        "count": str(len(kept)),
        "message": count("message"),
        "notification": count("notification"),
        "receipt": count("receipt"),
        "appdata": "0",
    }
    return Node("ib", {"from": SERVER}, [Node("offline_preview", counts)])
