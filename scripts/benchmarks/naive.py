"""The peer: a simple service with FastAPI, httpx, one SQLite commit for each step, and signed webhooks.

argv: port, database, Graph API, webhook URL. It verifies Meta's signature, stores each message with one
durable commit before it answers 200, then delivers it with three tries and marks it delivered. It keeps no
order, recognises no duplicates, and does not resume deliveries after a crash. `POST /accounts` keeps a client
for each account.
"""

import asyncio
import hashlib
import hmac
import json
import sqlite3
import sys
import time
import uuid

import httpx
import uvicorn
from fastapi import BackgroundTasks, FastAPI, Request, Response

port, database, graph, webhook = sys.argv[1:]
APP_SECRET, SIGNING_SECRET = b"bench-app-secret", b"bench-signing-secret"

db = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
db.executescript(
    "pragma journal_mode = wal; pragma synchronous = full;"
    "create table event(id text primary key, body text not null, delivered integer not null default 0);"
    "create table outbox(id text primary key, body text not null, state text not null, answer text);"
)
app = FastAPI()
delivering = httpx.AsyncClient(timeout=10, trust_env=False)
accounts: dict[str, httpx.AsyncClient] = {}


@app.get("/ready")
async def ready():
    return {"ok": True}


@app.post("/accounts/{number}")
async def add(number: str):
    """Log an account in and keep its client."""
    client = httpx.AsyncClient(
        timeout=20, trust_env=False, headers={"authorization": f"Bearer token-{number}"}
    )
    (await client.get(f"{graph}/v24.0/{number}")).raise_for_status()
    accounts[number] = client
    return {"ok": True}


@app.post("/hook")
async def hook(request: Request, background: BackgroundTasks):
    raw = await request.body()
    expected = "sha256=" + hmac.new(APP_SECRET, raw, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("x-hub-signature-256", "")):
        return Response(status_code=401)
    for entry in json.loads(raw)["entry"]:
        for change in entry["changes"]:
            for message in change["value"].get("messages", []):
                event = {
                    "id": f"evt_{uuid.uuid4().hex}",
                    "type": "message.received",
                    "from": message["from"],
                    "text": message["text"]["body"],
                    "message_id": message["id"],
                    "timestamp": int(message["timestamp"]),
                }
                body = json.dumps(event, separators=(",", ":"))
                db.execute("insert into event(id, body) values(?, ?)", (event["id"], body))
                background.add_task(deliver, event["id"], body.encode())
    return {"ok": True}


async def deliver(event_id: str, body: bytes) -> None:
    for attempt in range(3):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        signature = hmac.new(SIGNING_SECRET, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/json",
            "x-device-event-id": event_id,
            "x-device-timestamp": stamp,
            "x-device-signature": signature,
        }
        try:
            response = await delivering.post(webhook, content=body, headers=headers)
            if response.is_success:
                db.execute("update event set delivered = 1 where id = ?", (event_id,))
                return
        except httpx.HTTPError:
            pass
        await asyncio.sleep(2**attempt)


@app.post("/send/{number}")
async def send(number: str, request: Request):
    body = await request.json()
    command = uuid.uuid4().hex
    db.execute("insert into outbox(id, body, state) values(?, ?, 'sending')", (command, json.dumps(body)))
    message = {
        "messaging_product": "whatsapp",
        "to": body["to"],
        "type": "text",
        "text": {"body": body["text"]},
    }
    response = await accounts[number].post(f"{graph}/v24.0/{number}/messages", json=message)
    answer = response.json()["messages"][0]["id"]
    db.execute("update outbox set state = 'sent', answer = ? where id = ?", (answer, command))
    return {"message_id": answer}


uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error", access_log=False)
