"""A simple version of the pipeline: httpx on trio, a commit for each step, `json` and `hmac`.

It stores each event until it is delivered, with one durable commit before and one after, and signs as we do.
It recognises no duplicates, keeps no order (it has 32 workers), no history and no leases; nothing is retried
or bounded. All workers share one client.
"""

import hashlib
import hmac
import json
import sqlite3
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import trio

from .job import Job, Stopwatch

_SCHEMA = """
pragma journal_mode = wal; pragma synchronous = full;
create table event(seq integer primary key, id text not null, account text not null, at real not null,
  body blob not null);
create table delivery(seq integer primary key, endpoint integer not null,
  attempts integer not null default 0);
"""


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def event_of(update: dict[str, Any], event_id: str) -> dict[str, Any]:
    """The same event body as ours."""
    message = update["message"]
    chat, sender, number = message["chat"], message["from"], str(message["message_id"])
    at = stamp(message["date"])
    return {
        "id": event_id,
        "type": "message.received",
        "event": "message.received",
        "provider": "telegram",
        "account_id": "acct_1",
        "occurred_at": at,
        "timestamp": message["date"],
        "from": str(sender["id"]),
        "text": message["text"],
        "message_id": number,
        "data": {
            "conversation": {"id": str(chat["id"]), "type": "user", "title": _name(chat)},
            "sender": {
                "id": str(sender["id"]),
                "type": "user",
                "name": _name(sender),
                "username": sender["username"],
            },
            "message": {
                "id": number,
                "type": "text",
                "text": message["text"],
                "direction": "inbound",
                "sent_at": at,
            },
            "event": {"kind": "message_received"},
        },
    }


def _name(person: dict[str, str]) -> str:
    return f"{person['first_name']} {person['last_name']}"


class Naive:
    def __init__(self, job: Job, client: httpx.AsyncClient) -> None:
        self._job = job
        self._client = client
        self._db = sqlite3.connect(f"{job.directory}/naive.db", isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._put, self._take = trio.open_memory_channel[tuple[int, str, bytes]](job.undelivered)
        self._seq = self.delivered = 0

    async def take(self, update: bytes) -> None:
        self._seq += 1
        event_id = f"evt_{self._seq:026}"
        body = json.dumps(event_of(json.loads(update), event_id), separators=(",", ":")).encode()
        with self._db:
            self._db.execute("begin")
            self._db.execute(
                "insert into event values(?, ?, ?, ?, ?)", (self._seq, event_id, "acct_1", time.time(), body)
            )
            self._db.execute("insert into delivery(seq, endpoint) values(?, 1)", (self._seq,))
        await self._put.send((self._seq, event_id, body))

    async def deliver(self) -> None:
        """Deliver events one after another, as one of the workers."""
        async for seq, event_id, body in self._take:
            timestamp = stamp(time.time())
            signed = hmac.new(self._job.secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
            headers = {
                "user-agent": "naive/1",
                "content-type": "application/json",
                "x-device-event-id": event_id,
                "x-device-delivery-id": f"dlv_1_{seq}.1",
                "x-device-timestamp": timestamp,
                "x-device-signature": signed.hexdigest(),
            }
            (await self._client.post(self._job.url, content=body, headers=headers)).raise_for_status()
            with self._db:
                self._db.execute("delete from delivery where seq = ?", (seq,))
            self.delivered += 1

    async def flood(self, updates: list[bytes]) -> None:
        upto = self.delivered + len(updates)
        for update in updates:
            await self.take(update)
        while self.delivered < upto:
            await trio.sleep(0.002)


async def main(job: Job) -> None:
    limits = httpx.Limits(max_connections=job.connections, max_keepalive_connections=job.connections)
    async with httpx.AsyncClient(trust_env=False, timeout=10, limits=limits) as client:
        naive = Naive(job, client)
        async with trio.open_nursery() as nursery:
            for _ in range(job.connections):
                nursery.start_soon(naive.deliver)
            await naive.flood(job.updates(0, job.count // 10))  # not counted
            updates, watch = job.updates(job.count, job.count), Stopwatch()
            await naive.flood(updates)
            watch.measured(job.count).say()
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, Job.read())
