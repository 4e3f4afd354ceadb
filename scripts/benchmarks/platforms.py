"""The platforms of a load: the parts of WhatsApp's Graph API, of Telegram's Bot API and of the reference
platform that a login, a send and a quiet connection need.
"""

import json
import re
import time
from collections.abc import Callable

from .loop import Connection, Loop
from .tracker import Tracker
from .traffic import number_in, phone_number_id

_NUMBER = re.compile(r"/(\d+)(?:\?|$)")
_BOT = re.compile(r"/bot(\d+):[^/]*/(\w+)")
POLL_SECONDS = 25.0
REFERENCE_POLL_SECONDS = 5.0
_TRUE = b'{"ok":true,"result":true}'


def answer(body: bytes, status: int = 200) -> bytes:
    head = f"HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Platforms:
    """All platforms on one port; `cut` is called in the loop's thread.

    `delay`: seconds that they take for a message. `numbers`: how many business numbers WhatsApp lists.
    `sent`: the messages that arrived.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._open: set[Connection] = set()
        self._next = 0
        self._devices = 0
        self._down_until = 0.0
        self.delay = 0.0
        self.numbers = 1
        self.sent = Tracker()
        self.doors: dict[str, tuple[str, str]] = {}  # bot id -> its webhook's URL and secret
        self.port = loop.listen(self._take, self._accept, self._open.discard)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self, seconds: float) -> None:
        """Close all connections, and refuse new ones for a while."""
        self._down_until = time.perf_counter() + seconds
        for connection in self._open:
            connection.close()
        self._open.clear()

    def _accept(self, connection: Connection) -> None:
        if time.perf_counter() < self._down_until:
            connection.close()
        else:
            self._open.add(connection)

    def _take(self, connection: Connection, head: bytes, body: bytes) -> None:
        path = head.split(b" ", 2)[1].decode()
        if path.endswith(("/messages", "sendMessage")):
            self._message(connection, path, body)
        elif found := _BOT.match(path):
            self._telegram(connection, found[1], found[2], body)
        elif path in ("/call", "/login", "/stream", "/kept"):
            self._reference(connection, path, json.loads(body))
        else:
            connection.send(answer(self._graph(path)))

    def _message(self, connection: Connection, path: str, body: bytes) -> None:
        number = number_in(body)
        if number is not None:
            self.sent.arrive(number)
        self._next += 1
        if path.endswith("sendMessage"):
            chat = b'"chat":{"id":1,"type":"private"},"text":"x"'
            said = b'{"ok":true,"result":{"message_id":%d,"date":1700000000,%s}}' % (self._next, chat)
        else:
            said = b'{"messaging_product":"whatsapp","contacts":[{"input":"1","wa_id":"1"}],'
            said += b'"messages":[{"id":"wamid.%d"}]}' % self._next
        self._after(self.delay, lambda: connection.send(answer(said)))

    def _after(self, seconds: float, function: Callable[[], None]) -> None:
        if seconds:
            self._loop.later(seconds, function)
        else:
            function()

    def _graph(self, path: str) -> bytes:
        numbers = [
            {"id": phone_number_id(n), "display_phone_number": f"650{n:07}", "verified_name": "bench"}
            for n in range(self.numbers)
        ]
        if "/phone_numbers" in path:
            return json.dumps({"data": numbers}).encode()
        match = _NUMBER.search(path)
        number = match[1] if match else ""
        return json.dumps({"id": number, "display_phone_number": number, "verified_name": "b"}).encode()

    def _telegram(self, connection: Connection, bot: str, method: str, body: bytes) -> None:
        seconds, said = 0.0, _TRUE
        match method:
            case "getMe":
                said = b'{"ok":true,"result":{"id":%s,"is_bot":true,"first_name":"b","username":"b"}}'
                said %= bot.encode()
            case "setWebhook":
                told = json.loads(body)
                self.doors[bot] = (told["url"], told.get("secret_token", ""))
            case "getWebhookInfo":
                url, _ = self.doors.get(bot, ("", ""))
                said = json.dumps({"ok": True, "result": {"url": url, "pending_update_count": 0}}).encode()
            case "getUpdates":
                seconds = min(POLL_SECONDS, float(json.loads(body or b"{}").get("timeout", 0)))
                said = b'{"ok":true,"result":[]}'
            case "getUserProfilePhotos":
                said = b'{"ok":true,"result":{"total_count":0,"photos":[[{"file_id":"f"}]]}}'
            case "getFile":
                said = b'{"ok":true,"result":{"file_id":"f","file_unique_id":"f","file_path":"x"}}'
        self._after(seconds, lambda: connection.send(answer(said)))

    def _reference(self, connection: Connection, path: str, call: dict[str, object]) -> None:
        """The reference platform: every QR code is scanned at once, and no message ever comes."""
        seconds, result = 0.0, object()
        match path, call.get("method"):
            case "/login", "begin":
                self._devices += 1
                result = f"attempt-{self._devices}"
            case "/login", _:
                arguments = call["arguments"]
                assert isinstance(arguments, dict)
                key = str(arguments["attempt"]).replace("attempt", "device")
                result = {"number": 1, "is": "in", "key": key}
            case "/call", "me":
                result = {"id": call["token"], "name": "A device", "newest": 0}
            case "/call", _:
                result = []
            case _:
                result = []
                seconds = 0.0 if call.get("open") else REFERENCE_POLL_SECONDS
        said = json.dumps({"ok": True, "result": result}).encode()
        self._after(seconds, lambda: connection.send(answer(said)))
