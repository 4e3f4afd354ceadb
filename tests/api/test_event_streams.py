"""How many readers follow the event log: each counts from the answer to its request until it has gone."""

import contextlib
import gc
from pathlib import Path
from typing import Any, cast

import pytest
import trio

from tests.harness import KEY, gateway, settings_of
from unifyport.api.http.cursors import Cursors
from unifyport.api.http.event_stream import EventStream
from unifyport.api.http.messages import Response
from unifyport.fleet.doorbells import LocalBus
from unifyport.gateway.errors import TOO_MANY_STREAMS, UseCaseError
from unifyport.gateway.events import EventUseCases, Selection
from unifyport.model.event import ALL_MASK
from unifyport.storage.sealing import KeyRing


@pytest.fixture
def log() -> EventUseCases:
    unused = cast(Any, None)
    return EventUseCases(unused, unused, LocalBus(), most_streams=1)


async def answer(log: EventUseCases) -> Response:
    return await EventStream(
        log, Cursors(KeyRing.parse(KeyRing.new_key())), Selection(ALL_MASK), 0
    ).response()


async def test_two_that_are_answered_before_either_is_read_are_two(log: EventUseCases) -> None:
    first = await answer(log)
    with pytest.raises(UseCaseError) as refused:
        await answer(log)
    assert refused.value.code == TOO_MANY_STREAMS
    async with contextlib.aclosing(cast(Any, first.body)) as lines:
        assert (await anext(lines)).startswith(b"retry: 1000\nid: ")
    assert log.streams == 0
    assert (await answer(log)).status == 200


async def test_one_that_is_never_read_is_given_back(log: EventUseCases) -> None:
    response = await answer(log)
    await cast(Any, response.body).aclose()
    assert log.streams == 0
    response = await answer(log)
    del response  # a server that forgets to close it
    gc.collect()
    await trio.testing.wait_all_tasks_blocked()
    assert log.streams == 0


async def test_a_head_request_follows_nothing(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path)) as api:
        stream = await trio.open_tcp_stream("127.0.0.1", api.port)
        async with stream:
            for method, path in (("HEAD", "/v1/events/stream"), ("GET", "/v1/workspace")):
                await stream.send_all(
                    f"{method} {path} HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n\r\n".encode()
                )
                with trio.fail_after(10):
                    assert (await stream.receive_some(65536)).startswith(b"HTTP/1.1 200 ")
