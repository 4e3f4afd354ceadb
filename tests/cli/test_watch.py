"""`unifyport status --watch`: what passes does not end it, and an interrupt is no failure."""

import importlib
import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from unifyport.cli import main

EMPTY = {"ready": True, "counts": {}, "problems": 0, "accounts": [], "matching": 0, "endpoints": []}
GOOD = {"data": {**EMPTY, "endpoint_count": 0, "endpoint_problems": 0, "next_cursor": ""}}
NOT_READY = {"error": {"code": "storage_unavailable", "message": "the disk is full"}, "request_id": "req_1"}


class Peer:
    """Answers each request with the next of `answers` (status, body); one more is not answered."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.asked = threading.Semaphore(0)
        waiting = queue.SimpleQueue[tuple[int, str]]()
        for answer in answers:
            waiting.put(answer)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(inner) -> None:
                self.asked.release()
                try:
                    status, body = waiting.get(timeout=0 if answers else 20)
                except queue.Empty:
                    return
                inner.send_response(status)
                inner.send_header("content-length", str(len(body.encode())))
                inner.end_headers()
                inner.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def peers() -> Iterator[list[Peer]]:
    started: list[Peer] = []
    yield started
    for peer in started:
        peer.close()


def test_it_goes_on_over_errors_that_pass(monkeypatch: pytest.MonkeyPatch, peers: list[Peer]) -> None:
    refused = {"error": {"code": "invalid_api_key", "message": "revoked"}, "request_id": "req_2"}
    good, not_ready = json.dumps(GOOD), json.dumps(NOT_READY)
    peers.append(
        Peer(
            (503, not_ready), (502, "<html>"), (200, good), (429, ""), (200, good), (401, json.dumps(refused))
        )
    )
    monkeypatch.setattr(importlib.import_module("unifyport.cli.status"), "WATCH_SECONDS", 0.0)
    words = ["status", "--watch", "--url", peers[0].url, "--api-key", "dk_live_x"]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.stdout.count("0 accounts; 0 webhook endpoints")) == (1, 2)
    assert done.stderr.splitlines() == [
        "storage_unavailable: the disk is full (request req_1)",
        "HTTP 502: the answer is not from UnifyPort",
        "HTTP 429: the answer is not from UnifyPort",
        "error: invalid_api_key: revoked (request req_2)",
    ]


def test_an_interrupt_ends_it_also_while_it_asks(peers: list[Peer]) -> None:
    peers.append(Peer())
    words = [sys.executable, "-m", "unifyport", "status", "--watch"]
    watching = subprocess.Popen(
        [*words, "--url", peers[0].url, "--api-key", "dk_live_x"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert peers[0].asked.acquire(timeout=30)
    watching.send_signal(signal.SIGINT)
    said = watching.communicate(timeout=30)
    assert (watching.returncode, said) == (0, ("", ""))


@pytest.mark.parametrize("body", ["<html>", "[]", '{"error": "gone"}', "{}"])
def test_an_error_of_another_server_is_told(peers: list[Peer], body: str) -> None:
    peers.append(Peer((404, body)))
    done = CliRunner().invoke(main, ["status", "--url", peers[0].url, "--api-key", "dk_live_x"])
    assert (done.exit_code, done.stderr) == (1, "error: HTTP 404: the answer is not from UnifyPort\n")
