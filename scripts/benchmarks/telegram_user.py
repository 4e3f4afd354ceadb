"""Personal accounts of Telegram: the memory of a connection that waits, and what a message costs, ours and
that of Telethon on asyncio, at the same server and in the same run.

`python -m scripts.benchmarks.telegram_user [ACCOUNTS] [MESSAGES]`. It compares connections: ours is the link
of a connector with its update box and a session in memory, without the gateway around it; Telethon's is a
`TelegramClient` with a `StringSession`, both over the obfuscated transport. The server is the sandbox, in a
process of its own. What is measured has a process of its own, too: its resident memory, and its CPU seconds
for a message that one account sends and another one hears.
"""

import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import trio

PHONE, DC = 6_590_000_000, 2
WARM_UP, PARALLEL, QUIET_SECONDS = 200, 16, 3.0
APP = {"api_id": "17349", "api_hash": "344583e45741c457fe1862106095a5eb"}


# -- the server ----------------------------------------------------------------------------------------------


async def serve(count: int) -> None:
    from unifyport.protocols.mtproto.encryption import AuthKey
    from unifyport.providers.registry import standard
    from unifyport.sandbox.control import Sandbox
    from unifyport.sandbox.telegram.user.authorizations import Authorization
    from unifyport.sandbox.telegram.user.platform import UserPlatform

    served = Sandbox(standard().channels.values())
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: served.run(port=0, task_status=task_status))
        [platform] = [each for each in served.platforms.values() if isinstance(each, UserPlatform)]
        accounts = []
        for number in range(count):
            person = platform.account(str(PHONE + number))
            key = AuthKey(os.urandom(256))
            known = Authorization(key, DC, 77, person=person)
            person.authorizations.append(known)
            platform.server.centres[DC].authorizations[key.id] = known
            accounts.append({"id": person.id, "key": key.value.hex()})
        one, other = (platform.server.directory.by_phone(str(PHONE + n)) for n in range(2))
        assert one is not None
        assert other is not None
        hash_ = platform.server.directory.access_hash(one, other)
        endpoints = platform.endpoints(platform.server.addresses)
        print(json.dumps({"accounts": accounts, "endpoints": endpoints, "hash": hash_}), flush=True)
        await trio.sleep_forever()


# -- what is measured ----------------------------------------------------------------------------------------


@attrs.frozen
class Subject:
    """`open(number)` connects an account; `send(text)` lets the first write to the second; `heard` counts."""

    open: Callable[[int], Awaitable[None]]
    send: Callable[[str], Awaitable[Any]]
    heard: Callable[[], int]
    sleep: Callable[[float], Awaitable[None]]
    together: Callable[[list[Callable[[], Awaitable[None]]]], Awaitable[None]]


async def measure(subject: Subject, accounts: int, messages: int) -> None:
    for number in range(2):
        await subject.open(number)
    await _send(subject, WARM_UP)
    await subject.sleep(QUIET_SECONDS)
    heard, cpu, began = subject.heard(), _cpu(), time.perf_counter()
    await _send(subject, messages)
    while subject.heard() < heard + messages:
        await subject.sleep(0.01)
    rate = messages / (time.perf_counter() - began)
    cost = (_cpu() - cpu) / messages
    base = _resident()
    for number in range(2, accounts):
        await subject.open(number)
    await subject.sleep(QUIET_SECONDS)
    each = (_resident() - base) / (accounts - 2)
    result = {"KiB per account": each / 1024, "us of CPU per message": cost * 1e6, "messages/s": rate}
    print(json.dumps({name: round(value, 1) for name, value in result.items()}), flush=True)


async def _send(subject: Subject, count: int) -> None:
    left = iter(range(count))

    async def some() -> None:
        for number in left:
            await subject.send(f"message {number}")

    await subject.together([some] * PARALLEL)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


# -- ours ----------------------------------------------------------------------------------------------------


async def ours(found: dict[str, Any], accounts: int, messages: int) -> None:
    from telethon.tl import functions, types

    from actors.account.memory_session import MemorySession
    from unifyport.net.clients import ssl_context
    from unifyport.providers.contract.base import ConnectorContext
    from unifyport.providers.records import Records
    from unifyport.providers.telegram import Endpoints
    from unifyport.providers.telegram.user.keys import AuthRecord, Me, auth_key, dump
    from unifyport.providers.telegram.user.link import UserLink
    from unifyport.providers.telegram.user.opening import open_link
    from unifyport.providers.telegram.user.records import AUTH, ME

    trust, endpoints = ssl_context(), Endpoints(**found["endpoints"])
    links: list[UserLink] = []
    heard = 0

    class Counter:
        def __init__(self, number: int) -> None:
            self._counts = number == 1

        async def deliver(self, batch: Any) -> None:
            nonlocal heard
            await trio.lowlevel.checkpoint()
            heard += len(batch.events) * self._counts

        def observed(self) -> None:
            pass

    async with trio.open_nursery() as nursery:

        async def open_account(number: int) -> None:
            known = found["accounts"][number]
            auth, me = AuthRecord(bytes.fromhex(known["key"])), Me(DC, known["id"])
            session = MemorySession({(AUTH, auth_key(DC)): dump(auth), (ME, b""): dump(me)})
            made = ConnectorContext(APP, "poll", session, endpoints, trust)
            link = await open_link(made, Records(session))
            ready = trio.Event()
            nursery.start_soon(link.run, Counter(number), ready)
            await ready.wait()
            links.append(link)

        async def send(text: str) -> Any:
            peer = types.InputPeerUser(found["accounts"][1]["id"], found["hash"])
            random_id = int.from_bytes(os.urandom(8), signed=True)
            answer = await links[0].rpc.call(
                functions.messages.SendMessageRequest(peer, text, random_id=random_id)
            )
            links[0].updates.answered(answer)

        async def together(tasks: list[Callable[[], Awaitable[None]]]) -> None:
            async with trio.open_nursery() as sends:
                for task in tasks:
                    sends.start_soon(task)

        await measure(Subject(open_account, send, lambda: heard, trio.sleep, together), accounts, messages)
        nursery.cancel_scope.cancel()


# -- Telethon ------------------------------------------------------------------------------------------------


async def telethon(found: dict[str, Any], accounts: int, messages: int) -> None:
    from telethon import TelegramClient, events
    from telethon.crypto import rsa
    from telethon.network.connection import ConnectionTcpObfuscated
    from telethon.sessions import StringSession
    from telethon.tl import functions, types

    from unifyport.providers.telegram.user.addresses import read_data_centres
    from unifyport.providers.telegram.user.session_formats import to_telethon

    rsa.add_key(found["endpoints"]["user_rsa_keys"], old=False)
    place = read_data_centres(attrs.make_class("Found", list(found["endpoints"]))(**found["endpoints"])).find(
        DC
    )
    assert place is not None
    clients: list[Any] = []
    heard = 0

    async def count(event: Any) -> None:
        nonlocal heard
        heard += 1

    async def open_account(number: int) -> None:
        key = bytes.fromhex(found["accounts"][number]["key"])
        session = StringSession(to_telethon(DC, key, place.host, place.port))
        client = TelegramClient(
            session, int(APP["api_id"]), APP["api_hash"], connection=ConnectionTcpObfuscated
        )
        client.add_event_handler(count, events.NewMessage(incoming=True))
        await client.connect()
        await client.get_me()
        clients.append(client)

    async def send(text: str) -> Any:
        peer = types.InputPeerUser(found["accounts"][1]["id"], found["hash"])
        await clients[0](functions.messages.SendMessageRequest(peer, text))

    async def together(tasks: list[Callable[[], Awaitable[None]]]) -> None:
        await asyncio.gather(*(task() for task in tasks))

    await measure(Subject(open_account, send, lambda: heard, asyncio.sleep, together), accounts, messages)
    for client in clients:
        await client.disconnect()


# -- the run -------------------------------------------------------------------------------------------------


def main() -> None:
    match sys.argv[1:]:
        case ["serve", count]:
            trio.run(serve, int(count))
        case ["ours", *numbers]:
            accounts, messages = map(int, numbers)
            trio.run(ours, json.loads(sys.stdin.read()), accounts, messages)
        case ["telethon", *numbers]:
            accounts, messages = map(int, numbers)
            asyncio.run(telethon(json.loads(sys.stdin.read()), accounts, messages))
        case numbers:
            _compare(*map(int, numbers))


def _compare(accounts: int = 200, messages: int = 2000) -> None:
    command = (sys.executable, "-m", "scripts.benchmarks.telegram_user")
    for name in ("telethon", "ours"):
        with subprocess.Popen(
            (*command, "serve", str(accounts)), stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            found = server.stdout.readline()
            with contextlib.suppress(KeyboardInterrupt):
                numbers = (str(accounts), str(messages))
                done = subprocess.run(
                    (*command, name, *numbers), input=found, capture_output=True, text=True, check=False
                )
                print(name, done.stdout.strip() or done.stderr[-800:], flush=True)
            server.kill()


if __name__ == "__main__":
    main()
