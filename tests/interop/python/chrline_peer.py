"""CHRLINE as a device of LINE. Takes orders and answers them as JSON lines; `tests/interop/line_devices.py`.

usage: chrline_peer.py URL
"""

import json
import re
import sys
import tempfile
import traceback
from typing import Any

out, sys.stdout = sys.stdout, sys.stderr
from CHRLINE import CHRLINE  # noqa: E402 (prints on import)
from CHRLINE.config import Config  # noqa: E402

TALK, SYNC, COMPACT = "/S4", "/SYNC4", 4


def tell(**told: Any) -> None:
    out.write(json.dumps(told) + "\n")
    out.flush()


class Peer:
    """One client. `revision`: of the last operation that was read."""

    def __init__(self, url: str) -> None:
        for name in dir(Config):
            if name.endswith("_DOMAIN"):
                setattr(Config, name, url)
        self.client = CHRLINE(device="DESKTOPWIN", noLogin=True, encType=0, savePath=tempfile.mkdtemp())
        self.client.genQrcodeImageAndPrint = lambda url: ""
        self.client.custom_data, self.client.customDataId = {}, "peer"
        self.revision = 0

    def login(self, form: str) -> dict[str, Any]:
        """`form`: `requestSQR`, `requestSQR2` (tokens of the third version), `requestSQR3` (ForSecure)."""
        for step in getattr(self.client, form)():
            said = str(step)
            if said.startswith("URL: "):
                tell(event="qr", url=said.removeprefix("URL: "))
            elif "pincode" in said and (digits := re.search("[0-9]{4,6}", said)):
                tell(event="pin", pin=digits[0])
        profile = self.client.getProfile()
        self.client.mid = self.get(profile, "mid", 1)
        self.revision = self.client.getLastOpRevision()
        return {"mid": self.client.mid, "name": self.get(profile, "displayName", 20)}

    def get(self, value: Any, name: str, number: int) -> Any:
        return self.client.checkAndGetValue(value, name, number)

    def send(self, to: str, text: str) -> dict[str, Any]:
        """A sealed text."""
        chunks = self.client.encryptE2EEMessage(to, text)
        metadata = {"e2eeVersion": "2", "contentType": "0", "e2eeMark": "2"}
        sent = self.client.sendMessage(to, None, 0, metadata, chunk=chunks)
        return {"id": self.get(sent, "id", 4)}

    def read(self, chat: str, message_id: str) -> None:
        self.client.sendChatChecked(chat, message_id)

    def unsend(self, message_id: str) -> None:
        self.client.unsendMessage(message_id)

    def fetch(self) -> list[dict[str, Any]]:
        """What has happened since the last `fetch`; waits for something. Texts are opened by CHRLINE."""
        params = [[12, 1, [[10, 1, self.revision], [8, 2, 100], [10, 3, 0], [10, 4, 0]]]]
        request = self.client.generateDummyProtocol("sync", params, COMPACT)
        answer = self.client.postPackDataAndGetUnpackRespData(
            SYNC, request, COMPACT, readWith="SyncService.sync"
        )
        operations = self.get(self.get(answer, "operationResponse", 1), "operations", 1) or []
        told = []
        for operation in operations:
            self.revision = max(self.revision, self.get(operation, "revision", 1))
            told.append(self.describe(operation))
        return told

    def describe(self, operation: Any) -> dict[str, Any]:
        message = self.get(operation, "message", 20)
        shown = {
            "type": self.get(operation, "type", 3),
            "params": [self.get(operation, f"param{place}", 9 + place) for place in (1, 2, 3)],
        }
        if message:
            sender, chunks = self.get(message, "_from", 1), self.get(message, "chunks", 20)
            mine = sender == self.client.mid
            text = (
                self.client.decryptE2EETextMessage(message, mine) if chunks else self.get(message, "text", 10)
            )
            shown |= {"id": self.get(message, "id", 4), "from": sender, "text": text, "sealed": bool(chunks)}
        return shown


def run(peer: Peer, order: dict[str, Any]) -> None:
    number, do = order.pop("n"), order.pop("do")
    try:
        result = getattr(peer, do)(**order)
    except Exception as error:
        traceback.print_exc()
        tell(n=number, error=f"{type(error).__name__}: {error}")
    else:
        tell(n=number, result=result)


if __name__ == "__main__":
    running = Peer(sys.argv[1])
    for line in sys.stdin:
        run(running, json.loads(line))
