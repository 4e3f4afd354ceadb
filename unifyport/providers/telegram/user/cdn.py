"""Files that many people fetch lie at data centres of others, encrypted, which are not trusted with them.

A part is decrypted with a key that the file's own data centre gives, and its hash compared with one from
there. https://core.telegram.org/cdn
"""

import hashlib
import hmac
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from telethon.tl import functions, types

from unifyport.providers.contract.errors import Rejected, Transient

_UPLOADS: Final = 3
_BLOCK: Final = 16


class Calls(Protocol):
    async def call(self, request: Any, *, dc: int = 0) -> Any: ...


class CdnReader:
    """One file at a CDN. `dc`: the data centre where it lies itself."""

    def __init__(self, rpc: Calls, redirect: Any, dc: int) -> None:
        self._rpc = rpc
        self._redirect = redirect
        self._dc = dc
        self._hashes: dict[int, Any] = {}
        self._take(redirect.file_hashes)

    async def read(self, offset: int, limit: int) -> bytes | None:
        """The part at `offset`; None if the token is void. Raises a failure class."""
        token = self._redirect.file_token
        for _ in range(_UPLOADS):
            try:
                found = await self._rpc.call(
                    functions.upload.GetCdnFileRequest(token, offset, limit), dc=self._redirect.dc_id
                )
            except Rejected as error:
                if error.code in ("FILE_TOKEN_INVALID", "REQUEST_TOKEN_INVALID"):
                    return None
                raise
            if isinstance(found, types.upload.CdnFileReuploadNeeded):
                again = functions.upload.ReuploadCdnFileRequest(token, found.request_token)
                self._take(await self._rpc.call(again, dc=self._dc))
                continue
            body = self._decrypt(offset, bytes(found.bytes))
            await self._check(offset, body)
            return body
        raise Transient("media_not_ready")

    def _take(self, hashes: Any) -> None:
        for each in hashes or ():
            self._hashes[each.offset] = each

    async def _check(self, offset: int, body: bytes) -> None:
        """Compare every block of a decrypted part with its hash. Raises `Transient`."""
        at = offset
        while at < offset + len(body):
            if at not in self._hashes:
                request = functions.upload.GetCdnFileHashesRequest(self._redirect.file_token, at)
                self._take(await self._rpc.call(request, dc=self._dc))
            known = self._hashes.get(at)
            if known is None or known.limit <= 0:
                raise Transient("media_damaged")
            block = body[at - offset : at - offset + known.limit]
            if not hmac.compare_digest(hashlib.sha256(block).digest(), known.hash):
                raise Transient("media_damaged")
            at += known.limit

    def _decrypt(self, offset: int, body: bytes) -> bytes:
        """AES-256 in counter mode; the last four bytes of the vector are the number of the block."""
        vector = self._redirect.encryption_iv[:12] + (offset // _BLOCK).to_bytes(4)
        cipher = Cipher(algorithms.AES256(self._redirect.encryption_key), modes.CTR(vector))
        return cipher.decryptor().update(body)
