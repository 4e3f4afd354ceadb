"""`Idempotency-Key`: a caller that does not know what became of a send repeats it under the same key, and is
told.

A key is the workspace's, for one send: the same key with another body is refused. While the first one is
under way a repeat waits for it, and does not take a place in the queue. A send that provably did not happen
lets go of its key. Keys are kept for 24 h after the outcome; where the outcome is not known, for 7 days.
"""

import contextlib
import hashlib
import re
from collections.abc import Iterator
from typing import Any

import attrs
import msgspec
import trio

from unifyport.gateway.gateway import Gateway, WriteRefused
from unifyport.model.message import Answer, CommandState
from unifyport.storage.contract import AcceptCommand, CommandRecord

from ..http.errors import ApiError, ErrorSpec
from ..http.routing import Call, Query
from .platform import DEADLINE_MS

NAME = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
POLL_SECONDS = 0.5  # for a send that another process has under way
REUSED = ErrorSpec(409, "idempotency_key_reused")
IN_USE = ErrorSpec(409, "idempotency_key_in_use")
HEADER = Query(
    NAME,
    description="1 to 255 printable ASCII characters; a repeat with the same body is not sent again",
    more={"pattern": "^[!-~]{1,255}$"},
)
_KEY = re.compile(r"[!-~]{1,255}")
_OPEN = (CommandState.ACCEPTED, CommandState.SENDING)


def key_of(call: Call) -> str | None:
    """Raises `ApiError`."""
    values = call.headers.get_all(NAME)
    if not values:
        return None
    if len(values) > 1 or not _KEY.fullmatch(values[0]):
        raise ApiError(400, "invalid_request", f"{NAME}: must be 1 to 255 printable ASCII characters, once")
    return values[0]


def hash_of(body: Any) -> bytes:
    """Of the body as it was understood: neither the order of fields nor white space makes it another one."""
    return hashlib.sha256(msgspec.json.encode(attrs.asdict(body), order="deterministic")).digest()


async def accept(call: Call, write: AcceptCommand) -> CommandRecord | None:
    """Record a send, or find the one that was recorded under its key. Raises `ApiError`."""
    try:
        known: CommandRecord | None = await call.gateway.write(write)
    except WriteRefused as refused:
        if refused.reason != "key_reused":
            raise
        raise ApiError(409, REUSED.code, f"{NAME}: this key was used for another send") from None
    return known


@contextlib.contextmanager
def under_way(gateway: Gateway, command_id: str) -> Iterator[None]:
    """While a send is carried out: whoever repeats it waits for the end of this."""
    done = gateway.sending[command_id] = trio.Event()
    try:
        yield
    finally:
        done.set()
        del gateway.sending[command_id]


async def joined(call: Call, known: CommandRecord) -> Answer:
    """What became of the first one, waiting for it. Raises `ApiError` when that takes too long."""
    call.answer_headers[REPLAYED] = "true"
    record: CommandRecord | None = known
    with trio.move_on_after(DEADLINE_MS / 1000):
        while record is not None and record.state in _OPEN:
            with trio.move_on_after(POLL_SECONDS):
                if (done := call.gateway.sending.get(known.id)) is not None:
                    await done.wait()
                else:
                    await trio.sleep(POLL_SECONDS)
            record = await call.gateway.store.command(known.id)
    if record is None or record.state in _OPEN:
        raise ApiError(409, IN_USE.code, f"{NAME}: the first send is still under way", retry_after=1)
    if record.answer is None:  # a process ended before it was known
        return Answer(record.state, code="interrupted")
    answer = msgspec.json.decode(record.answer, type=Answer)
    answer.state = record.state  # a receipt may have told more since
    return answer
