"""The environment of a subject: platform, load and receiver, in one process that is not measured."""

import hashlib
import hmac
import json
import re
import time
from contextlib import AsyncExitStack

import trio

from .subjects import APP_SECRET, Subject
from .wire import Connection, post, serve

_TEXT = re.compile(rb'"text":\s*"(\d+)"')
CONNECTIONS = 16


class Rig:
    """`graph` and `hook` are URLs for a subject. `arrived`: times by the number in the message's text."""

    def __init__(self) -> None:
        self.graph = self.hook = ""
        self.arrived: dict[int, float] = {}
        self.repeats = 0
        self.sent = 0
        self._news = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            self.graph = f"http://127.0.0.1:{await nursery.start(serve, self._graph)}"
            self.hook = f"http://127.0.0.1:{await nursery.start(serve, self._hook)}/hook"
            task_status.started()

    async def _graph(self, method: bytes, path: bytes, body: bytes) -> tuple[int, bytes]:
        if method == b"GET":
            number = path.partition(b"?")[0].rpartition(b"/")[2].decode()
            return 200, json.dumps({"id": number, "verified_name": "bench"}).encode()
        self.sent += 1
        return 200, b'{"messages":[{"id":"wamid.%d"}]}' % self.sent

    async def _hook(self, method: bytes, path: bytes, body: bytes) -> tuple[int, bytes]:
        match = _TEXT.search(body)
        if match is not None:
            number = int(match[1])
            self.repeats += number in self.arrived
            self.arrived.setdefault(number, time.perf_counter())
            self._news.set()
        return 204, b""

    async def until(self, count: int, seconds: float) -> None:
        with trio.fail_after(seconds):
            while len(self.arrived) < count:
                await self._news.wait()
                self._news = trio.Event()

    # -- scenarios -------------------------------------------------------------------------------------------

    async def flood(self, subject: Subject, count: int) -> tuple[float, float]:
        """Inbound as fast as requests are answered. Returns events per second, from the first request to the
        last arrival, and CPU seconds per event.
        """
        requests = [webhook(subject, number, number) for number in range(count)]
        self.arrived.clear()
        cpu, began = subject.cpu(), time.perf_counter()
        await drive(subject, requests, CONNECTIONS)
        await self.until(count, 300)
        seconds = time.perf_counter() - began
        return count / seconds, (subject.cpu() - cpu) / count

    async def steady(self, subject: Subject, rate: float, seconds: float) -> list[float]:
        """Inbound at a steady rate. Returns sorted seconds from the time a request was due to its arrival."""
        count = max(50, int(rate * seconds))
        requests = [webhook(subject, number, number) for number in range(count)]
        self.arrived.clear()
        due: list[float] = []
        free: list[Connection] = []
        async with AsyncExitStack() as stack, trio.open_nursery() as nursery:

            async def one(request: bytes) -> None:
                if free:
                    wire = free.pop()
                else:
                    stream = await stack.enter_async_context(
                        await trio.open_tcp_stream("127.0.0.1", subject.port)
                    )
                    wire = Connection(stream)
                status, body = await wire.call(request)
                assert status == 200, (status, body)
                free.append(wire)

            began, clock = time.perf_counter(), trio.current_time()
            for number, request in enumerate(requests):
                await trio.sleep_until(clock + number / rate)
                due.append(began + number / rate)
                nursery.start_soon(one, request)
        await self.until(count, 60)
        return sorted(self.arrived[number] - due[number] for number in range(count))

    async def sends(self, subject: Subject, count: int) -> tuple[float, float]:
        """Outbound as fast as sends are answered, over all accounts. Returns sends/s, CPU s per send."""
        names = subject.numbers
        requests = [subject.send_request(names[n % len(names)], f"{n}") for n in range(count)]
        cpu, began = subject.cpu(), time.perf_counter()
        await drive(subject, requests, CONNECTIONS)
        seconds = time.perf_counter() - began
        return count / seconds, (subject.cpu() - cpu) / count


def webhook(subject: Subject, number: int, customer: int) -> bytes:
    message = {
        "id": f"wamid.{time.time_ns()}.{number}",
        "from": f"659{customer % 500:07}",
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": str(number)},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "6500000000", "phone_number_id": subject.numbers[0]},
        "contacts": [{"profile": {"name": "A customer"}, "wa_id": message["from"]}],
        "messages": [message],
    }
    body = json.dumps(
        {
            "object": "whatsapp_business_account",
            "entry": [{"id": "1", "changes": [{"value": value, "field": "messages"}]}],
        }
    ).encode()
    signature = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return post(subject.ingress, body, {"x-hub-signature-256": f"sha256={signature}"})


async def drive(subject: Subject, requests: list[bytes], connections: int) -> None:
    """Send all requests over some connections, each as soon as the one before it was answered."""
    waiting = iter(requests)

    async def worker() -> None:
        async with await trio.open_tcp_stream("127.0.0.1", subject.port) as stream:
            wire = Connection(stream)
            for request in waiting:
                status, body = await wire.call(request)
                if status != 200:
                    raise RuntimeError(f"{subject.name}: HTTP {status}: {body!r}")

    async with trio.open_nursery() as nursery:
        for _ in range(connections):
            nursery.start_soon(worker)
