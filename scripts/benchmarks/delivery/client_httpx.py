"""httpx on trio: one client, as many connections as workers, a time-out."""

import httpx
import trio

from .clients import Post, measure
from .job import Job


async def main(job: Job) -> None:
    body = job.body.encode()
    limits = httpx.Limits(max_connections=job.connections, max_keepalive_connections=job.connections)
    async with httpx.AsyncClient(trust_env=False, timeout=10, limits=limits) as client:

        async def post() -> int:
            return (await client.post(job.url, content=body, headers=job.headers)).status_code

        async def new_post() -> Post:
            return post

        await measure(job, new_post)


if __name__ == "__main__":
    trio.run(main, Job.read())
