"""A client on trio's own streams: `trio.SSLStream` and httptools, with a connection for each worker.

It has no pool, no time-outs, no bounds on what it reads, and no address guard.
"""

from urllib.parse import urlsplit

import httptools
import trio

from unifyport.net.clients import ssl_context

from .clients import Post, measure
from .job import Job


class Connection:
    def __init__(self, stream: trio.SSLStream[trio.SocketStream], request: bytes) -> None:
        self._stream = stream
        self._request = request
        self._parser = httptools.HttpResponseParser(self)
        self._done = False

    def on_message_complete(self) -> None:
        self._done = True

    async def post(self) -> int:
        self._done = False
        await self._stream.send_all(self._request)
        while not self._done:
            data = await self._stream.receive_some(65536)
            if not data:
                raise ConnectionError("the sink hung up")
            self._parser.feed_data(data)
        return int(self._parser.get_status_code())


async def main(job: Job) -> None:
    where = urlsplit(job.url)
    host, port, body = where.hostname or "", where.port or 443, job.body.encode()
    lines = [f"POST {where.path} HTTP/1.1", f"host: {where.netloc}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in job.headers.items()]
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    context = ssl_context()
    context.load_verify_locations(job.ca_file)

    async def new_post() -> Post:
        stream = await trio.open_ssl_over_tcp_stream(host, port, https_compatible=True, ssl_context=context)
        return Connection(stream, request).post

    await measure(job, new_post)


if __name__ == "__main__":
    trio.run(main, Job.read())
