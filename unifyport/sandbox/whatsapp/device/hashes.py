"""The hash of a list of devices, by which two sides notice that theirs differ.

https://github.com/tulir/whatsmeow (`send.go`, `participantListHashV2`)
"""

import base64
import hashlib
from collections.abc import Iterable

from unifyport.protocols.binary_node import Jid


def participant_hash(devices: Iterable[Jid]) -> str:
    joined = "".join(sorted(jid.full for jid in devices))
    return "2:" + base64.b64encode(hashlib.sha256(joined.encode()).digest()[:6]).decode().rstrip("=")
