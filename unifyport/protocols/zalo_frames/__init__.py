"""The wire protocol of Zalo's web client, both roles, without I/O.

    frames       messages of the WebSocket: a header of 4 bytes, then JSON
    payloads     what the JSON of a frame carries in `encrypt` and `data`: plain, deflated, AES-GCM
    parameters   what a request of the HTTP API and its answer carry in `params` and `data`: AES-CBC
    signatures   `signkey` of the two requests of a login

Payloads and parameters go in and out as the bytes of a JSON document: who decodes them keeps ids as exact
integers, as some are above 2**53. Facts: https://github.com/RFS-ADRENO/zca-js 2.2.0 (`src/utils.ts`,
`src/apis/listen.ts`, `src/apis/login.ts`).
"""

from .errors import ZaloProtocolError
from .frames import Command, Frame, key_of, read_frame, write_frame
from .parameters import LoginCipher, SessionCipher
from .payloads import Encrypt, open_payload, seal_payload
from .signatures import sign

__all__ = [
    "Command",
    "Encrypt",
    "Frame",
    "LoginCipher",
    "SessionCipher",
    "ZaloProtocolError",
    "key_of",
    "open_payload",
    "read_frame",
    "seal_payload",
    "sign",
    "write_frame",
]
