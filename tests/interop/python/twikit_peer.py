"""twikit as a browser of X. Takes orders and answers them as JSON lines; `tests/interop/test_x_web.py`.

usage: twikit_peer.py URL USER-ID

It takes the session from cookies. Its transaction ids need pages of x.com, so a stub takes their place.
"""

import asyncio
import json
import sys
from typing import Any

import httpx
from twikit import Client


class Rewriting(httpx.AsyncHTTPTransport):
    """Sends requests for any host of X to the sandbox."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = httpx.URL(url)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["host"] = self._url.netloc.decode()
        url = request.url.copy_with(scheme=self._url.scheme, host=self._url.host, port=self._url.port)
        sent = httpx.Request(request.method, url, headers=request.headers, stream=request.stream)
        return await super().handle_async_request(sent)


class Peer:
    def __init__(self, url: str, user: str) -> None:
        self.client = Client("en-US")
        self.client.http = httpx.AsyncClient(transport=Rewriting(url), trust_env=False)
        self.client.client_transaction.home_page_response = True
        self.client.client_transaction.generate_transaction_id = lambda **_: "ZTo="
        self.client._user_id = user

    async def log_in(self, cookies: dict[str, str]) -> dict[str, Any]:
        self.client.set_cookies(cookies, clear_cookies=True)
        return {}

    async def cookies(self) -> dict[str, str]:
        return dict(self.client.get_cookies())

    async def send(self, to: str, text: str, reply_to: str | None = None) -> dict[str, Any]:
        return _message(await self.client.send_dm(to, text, reply_to=reply_to))

    async def send_to_group(self, group: str, text: str) -> dict[str, Any]:
        return _message(await self.client.send_dm_to_group(group, text))

    async def history(self, user: str, below: str | None = None) -> list[dict[str, Any]]:
        return [_message(each) for each in await self.client.get_dm_history(user, below)]

    async def group_history(self, group: str) -> list[dict[str, Any]]:
        return [_message(each) for each in await self.client.get_group_dm_history(group)]


def _message(message: Any) -> dict[str, Any]:
    said = {"id": message.id, "text": message.text, "from": message.sender_id}
    return {**said, "attachment": sorted(message.attachment or ())}


async def main(url: str, user: str) -> None:
    peer = Peer(url, user)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        number, do = order.pop("n"), order.pop("do")
        try:
            answer = {"n": number, "result": await getattr(peer, do)(**order)}
        except Exception as error:
            answer = {"n": number, "error": type(error).__name__}
        print(json.dumps(answer), flush=True)


asyncio.run(main(sys.argv[1], sys.argv[2]))
