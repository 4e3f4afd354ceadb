"""Our whole delivery client: guard, pool, sweeper, bounds on what it reads. Plain or TLS, as the URL says.

Three of the six headers are the client's own (`user-agent`, `content-type`, `accept-encoding`); the other
three are passed to it, as an endpoint's actor passes them. Nothing is signed.
"""

import ipaddress
from pathlib import Path

import trio

from unifyport.delivery.client import HttpDeliveryClient
from unifyport.net.clients import ssl_context
from unifyport.net.guard import AddressGuard, Resolver
from unifyport.net.sockets import Sockets
from unifyport.net.sweeper import Sweeper

from .clients import Post, measure
from .job import Job

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
TIMEOUT = 10.0
_OWN = ("user-agent", "content-type", "accept-encoding")


async def main(job: Job) -> None:
    sweeper = Sweeper()
    context = ssl_context(Path(job.ca_file) if job.ca_file else None)
    client = HttpDeliveryClient(AddressGuard(Resolver(), LOOPBACK), Sockets(context), sweeper)
    fields = "".join(
        f"{name}: {value}\r\n" for name, value in job.headers.items() if name not in _OWN
    ).encode()
    body = job.body.encode()

    async def post() -> int:
        attempt = await client.post(job.url, fields, body, TIMEOUT)
        if attempt.status is None:
            raise RuntimeError(attempt.reason)
        return attempt.status

    async def new_post() -> Post:
        return post

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sweeper.run)
        await measure(job, new_post)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, Job.read())
