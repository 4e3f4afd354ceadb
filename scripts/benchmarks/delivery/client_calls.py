"""Our whole client for calls to platforms, as connectors use it: JSON, pool, sweeper, turnstile, bounds."""

import trio

from actors.account.memory_session import MemorySession
from unifyport.net.clients import ssl_context
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.http import HttpApi

from .clients import Post, measure
from .job import Job

_OWN = ("user-agent", "content-type", "accept-encoding")


async def main(job: Job) -> None:
    context = ConnectorContext({}, "poll", MemorySession({}), None, ssl_context())
    api = HttpApi(context, parallel_sends=job.connections)
    headers = {name: value for name, value in job.headers.items() if name not in _OWN}
    body = {"text": "x" * (len(job.body) - len('{"text":""}'))}

    async def post() -> int:
        return (await api.request("POST", job.url, json=body, headers=headers)).status

    async def new_post() -> Post:
        return post

    await measure(job, new_post)
    await api.aclose()


if __name__ == "__main__":
    trio.run(main, Job.read())
