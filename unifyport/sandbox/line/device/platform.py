"""LINE's gateway for devices and its object store, played on loopback, and the phones for the control port.

Calls are told apart by their names, whatever their path is, and are answered in the encoding in which they
came: older clients use other paths. Sources of the protocol: `unifyport/providers/line/device`.
"""

import base64
from typing import Any

import attrs
import msgspec
import trio
from quart import Response, request

from unifyport.protocols import thrift
from unifyport.protocols.thrift import Encoding, Head, MessageKind
from unifyport.providers.line.device import call_structures as of
from unifyport.providers.line.device import structures as line
from unifyport.providers.line.device import tokens
from unifyport.providers.line.device.calls import CALLS
from unifyport.providers.line.device.gateway import NEXT_ACCESS
from unifyport.providers.line.device.login_structures import (
    Arguments,
    CertificateArguments,
    LoginArguments,
)
from unifyport.providers.line.device.qr_login import STEPS

from ...http import HttpPlatform, as_json, http
from . import logins
from .customers import Customers
from .logins import Logins, OldLoginResult
from .objects import ObjectStore
from .refusals import Refused
from .shapes import operations_after
from .talk import TalkService
from .world import TOKEN_SECONDS, Device, World

NOT_AUTHORIZED, MUST_REFRESH = 8, 119
LONGEST_POLL = 180.0
_CONTENT_TYPES = {"image": 1, "video": 2, "audio": 3, "file": 14}
_OLD_LOGIN = {
    "createQrCode": "createQrCodeForSecure",
    "qrCodeLogin": "qrCodeLoginV2ForSecure",
    "qrCodeLoginV2": "qrCodeLoginV2ForSecure",
}
_LOGIN_CALLS = {step.name: step for step in STEPS.values()}


class LineDevicePlatform(HttpPlatform):
    """The state, its application, and the customers' side for the control port."""

    name = "line-device"

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.logins = Logins(self.world)
        self.talk = TalkService(self.world)
        self.objects = ObjectStore()
        self.customers = Customers(self.world, self.talk, self.logins, self.objects)
        self.protocols = [http(self.app, "gateway", ("device_url", "device_media_url", "device_picture_url"))]
        add = self.app.add_url_rule
        add("/r/talk/<space>/<name>", "upload", self._upload, methods=["POST"])
        add("/r/talk/<space>/<name>", "download", self._download, methods=["GET"])
        add("/<path:path>", "call", self._call, methods=["POST"])

    # -- calls ----------------------------------------------------------------------------------------------

    async def _call(self, path: str) -> Response:
        body = await request.get_data(cache=False)
        assert isinstance(body, bytes)
        try:
            encoding = thrift.encoding_of(body)
            head, reader = thrift.open_message(body, encoding)
        except thrift.ThriftError:
            return Response(b"", 400)
        access = request.headers.get("x-line-access", "")
        device = self.world.devices.get(access)
        seconds = min(int(request.headers.get("x-lst", "0") or 0) / 1000 or LONGEST_POLL, LONGEST_POLL)

        async def answer() -> Response:
            await trio.lowlevel.checkpoint()
            try:
                result = await self._answer(head, reader, device, seconds)
            except thrift.ThriftError:
                return Response(b"", 400)
            if result is None:
                return Response(b"", 410)
            reply = _reply(head, result, encoding)
            if device is not None and device.gets_next:
                device.gets_next = False
                self.world.renew_token(device)
                reply.headers[NEXT_ACCESS] = device.access
            return reply

        who = device.account.name if device is not None else ""
        return await self.answer(who, head.name, answer)

    async def _answer(self, head: Head, reader: Any, device: Device | None, seconds: float) -> Any:
        """The structure of the answer; None: a poll ended without one."""
        if head.name in _LOGIN_CALLS or head.name in _OLD_LOGIN:
            return await self._log_in(head.name, reader, seconds)
        if head.name == tokens.REFRESH:
            return self._refresh(thrift.read(reader, tokens.RefreshArguments))
        call = CALLS.get(head.name)
        if call is None:
            return thrift.ApplicationException(f"unknown method {head.name}", 1)
        if device is None:
            return call.result(error=line.TalkException(code=NOT_AUTHORIZED, reason="NOT_AUTHORIZED_DEVICE"))
        if device.expired:
            return call.result(error=line.TalkException(code=MUST_REFRESH, reason="MUST_REFRESH_V3_TOKEN"))
        arguments: Any = thrift.read(reader, call.arguments)
        if head.name == "sync":
            return await self._sync(device, arguments, seconds)
        try:
            success = self.talk.carry_out(head.name, device, arguments)
        except Refused as refused:
            return call.result(error=refused.error)
        return call.result() if call.void else call.result(success=success)

    async def _log_in(self, name: str, reader: Any, seconds: float) -> Any:
        call = _LOGIN_CALLS[_OLD_LOGIN.get(name, name)]
        result = OldLoginResult if name == "qrCodeLogin" else call.result
        arguments: Any = thrift.read(reader, _ARGUMENTS.get(name, Arguments))
        try:
            success = await self.logins.carry_out(name, arguments, seconds)
        except logins.Refused as refused:
            return result(error=refused.error)
        return None if success is None else result(success=success)

    def _refresh(self, asked: tokens.RefreshArguments) -> tokens.RefreshResult:
        wanted = asked.request.refresh if asked.request is not None else ""
        for device in list(self.world.devices.values()):
            if device.refresh == wanted:
                self.world.renew_token(device)
                refresh = device.refresh if device.rotates else None
                answer = tokens.RefreshAnswer(device.access, TOKEN_SECONDS, refresh=refresh)
                return tokens.RefreshResult(answer)
        return tokens.RefreshResult(error=tokens.RefreshException(code=1002))

    async def _sync(self, device: Device, asked: of.SyncArguments, seconds: float) -> of.SyncResult:
        """Wait for an operation, for as long as the client says."""
        wanted = asked.request or line.SyncRequest()
        account = device.account
        with trio.move_on_after(seconds):
            while (found := operations_after(account, wanted)) is None:
                await account.news.wait()
                if device not in account.devices:
                    refusal = line.TalkException(code=NOT_AUTHORIZED, reason="NOT_AUTHORIZED_DEVICE")
                    return of.SyncResult(error=refusal)
            return of.SyncResult(found)
        return of.SyncResult(line.SyncAnswer(operations=line.Operations((), False)))

    # -- files ----------------------------------------------------------------------------------------------

    async def _upload(self, space: str, name: str) -> Response:
        body = await request.get_data(cache=False)
        assert isinstance(body, bytes)
        device = self.world.devices.get(request.headers.get("x-line-access", ""))
        described = request.headers.get("x-obs-params", "")

        async def answer() -> Response:
            await trio.lowlevel.checkpoint()
            if device is None:
                return Response(b"", 401)
            try:
                parameters = msgspec.json.decode(base64.b64decode(described), type=dict[str, str])
            except (ValueError, msgspec.MsgspecError):
                return Response(b"", 400)
            if name == "reqseq":
                oid = self._plain_file(device, parameters, body)
            else:
                oid = self.objects.put(space, name, body)
            return Response(b"", 201, {"x-obs-oid": oid})

        return await self.answer("", "upload", answer)

    def _plain_file(self, device: Device, parameters: dict[str, str], body: bytes) -> str:
        """A plain file is a message at once; its object is named by the message."""
        sender = device.account
        message = line.Message(
            to=parameters.get("tomid"),
            to_type=line.USER,
            content_type=_CONTENT_TYPES.get(parameters.get("type", ""), 14),
            metadata={"FILE_NAME": parameters.get("name", ""), "FILE_SIZE": str(len(body))},
        )
        made = self.world.new_message(message, sender)
        assert made.id is not None
        self.objects.put("m", made.id, body)
        number = int(parameters.get("reqseq", "0"))
        self.world.sent.append({"account": sender.mid, "message": made, "req_seq": number})
        self.world.deliver(made, sender, req_seq=number)
        return made.id

    async def _download(self, space: str, name: str) -> Response:
        device = self.world.devices.get(request.headers.get("x-line-access", ""))

        async def answer() -> Response:
            await trio.lowlevel.checkpoint()
            if device is None:
                return Response(b"", 401)
            status, content = self.objects.get(space, name)
            return Response(content, status, content_type="application/octet-stream")

        return await self.answer("", "download", answer)

    def rate_limited(self, seconds: int) -> Response:
        answer = as_json({"message": "too many requests"}, 429)
        answer.headers["retry-after"] = str(seconds)
        return answer

    def failed(self) -> Response:
        return as_json({"message": "internal error"}, 500)

    # -- the control port -----------------------------------------------------------------------------------

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A person writes from a phone: `Customers.receive`. Raises `ValueError`."""
        return self.customers.receive(order)

    def receipt(self, order: dict[str, Any]) -> None:
        """Raises `ValueError`."""
        self.customers.receipt(order)

    def push(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """What a phone, its owner or the platform does, by the name in `do`. Raises `ValueError`."""
        return self.customers.obey(order)

    def sent(self) -> list[dict[str, Any]]:
        return self.customers.sent()


_ARGUMENTS: dict[str, type] = {
    "createSession": of.NoArguments,
    "verifyCertificate": CertificateArguments,
    "qrCodeLoginV2ForSecure": LoginArguments,
}


def _reply(head: Head, result: object, encoding: Encoding) -> Response:
    kind = MessageKind.REPLY
    if isinstance(result, thrift.ApplicationException):
        kind = MessageKind.EXCEPTION
    answer = attrs.evolve(head, kind=kind)
    body = thrift.encode_message(answer, result, encoding)
    return Response(body, 200, content_type="application/x-thrift")
