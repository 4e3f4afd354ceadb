"""The other side of an MTProto connection, on PyPI's `mtproto`.

One JSON request a line on stdin, one JSON answer a line on stdout. Bytes are hexadecimal.
"""

import json
import sys

from mtproto import ConnectionRole
from mtproto.session.messages import Data, MessagesAck, NewSession
from mtproto.session.session import Session
from mtproto.transport import transports

FRAMINGS = {
    "ABRIDGED": transports.AbridgedTransport,
    "INTERMEDIATE": transports.IntermediateTransport,
    "PADDED": transports.PaddedIntermediateTransport,
}


class Judge:
    def start(self, role, framing, obfuscated, key, salt):
        self.session = Session(
            ConnectionRole[role],
            transport=FRAMINGS[framing],
            obfuscated=obfuscated,
            auth_key=bytes.fromhex(key),
            salt=salt,
        )
        return {}

    def send(self, data="", content=True, response=False):
        """The bytes of a message, and of what is queued."""
        body = bytes.fromhex(data)
        return {"bytes": self.session.send(body or None, content, response).hex()}

    def queue(self, data, content=True, response=False):
        """Put into the next container."""
        return {"id": self.session.queue(bytes.fromhex(data), content, response)}

    def receive(self, data):
        """What the peer's bytes say."""
        self.session.data_received(bytes.fromhex(data))
        found = []
        while (event := self.session.next_event()) is not None:
            match event:
                case Data():
                    found.append({"kind": "data", "id": event.message_id, "body": event.data.hex()})
                case MessagesAck():
                    found.append({"kind": "acks", "ids": list(event.message_ids)})
                case NewSession():
                    found.append({"kind": "session"})
                case _:
                    found.append({"kind": type(event).__name__})
        return {"events": found}


judge = Judge()
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(getattr(judge, request.pop("do"))(**request)), flush=True)
