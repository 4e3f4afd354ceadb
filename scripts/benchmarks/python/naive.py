"""What people would write: uvicorn, FastAPI, httpx, SQLite, one commit for each step, signed webhooks.

argv: its configuration as JSON. It checks what platforms sign, stores each message with one durable commit
before it answers 200, then delivers it with three tries and marks it delivered. A send is stored before and
after. It keeps no order, recognises no repeats, keeps no history, and does not resume deliveries after a
crash. It keeps a client for each WhatsApp number.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import sqlite3
import sys
import time
import uuid
from pathlib import Path

import httpx
import uvicorn
from fastapi import BackgroundTasks, FastAPI, Request, Response

config = json.loads(Path(sys.argv[1]).read_text())
app_secret, signing_secret = config["appSecret"].encode(), config["signingSecret"].encode()
platforms = config["platforms"]
db = sqlite3.connect(config["database"], isolation_level=None, check_same_thread=False)
db.executescript(
    "pragma journal_mode = wal; pragma synchronous = full;"
    "create table event(id text primary key, body text not null, delivered integer not null default 0);"
    "create table outbox(id text primary key, body text not null, state text not null, answer text);"
)
delivering = httpx.AsyncClient(timeout=10, trust_env=False)
telegram_client = httpx.AsyncClient(timeout=20, trust_env=False)
numbers: dict[str, httpx.AsyncClient] = {}


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI):
    """Log each number in and keep its client."""
    for number in config["phones"]:
        headers = {"authorization": f"Bearer token-{number}"}
        client = numbers[number] = httpx.AsyncClient(timeout=20, trust_env=False, headers=headers)
        (await client.get(f"{platforms}/v24.0/{number}")).raise_for_status()
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/ready")
async def ready():
    return {"ok": True}


@app.post("/whatsapp")
async def whatsapp(request: Request, background: BackgroundTasks):
    raw = await request.body()
    expected = "sha256=" + hmac.new(app_secret, raw, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("x-hub-signature-256", "")):
        return Response(status_code=401)
    for entry in json.loads(raw)["entry"]:
        for change in entry["changes"]:
            for message in change["value"].get("messages", []):
                take(
                    background, message["from"], message["text"]["body"], message["id"], message["timestamp"]
                )
    return {"ok": True}


@app.post("/telegram")
async def telegram(request: Request, background: BackgroundTasks):
    given = request.headers.get("x-telegram-bot-api-secret-token", "")
    if not hmac.compare_digest(given, config["telegramSecret"]):
        return Response(status_code=401)
    message = (await request.json())["message"]
    sender, number = str(message["from"]["id"]), str(message["message_id"])
    take(background, sender, message["text"], number, message["date"])
    return {"ok": True}


def take(background: BackgroundTasks, sender: str, text: str, message_id: str, timestamp: str) -> None:
    event = {
        "id": f"evt_{uuid.uuid4().hex}",
        "type": "message.received",
        "from": sender,
        "text": text,
        "message_id": message_id,
        "timestamp": int(timestamp),
    }
    body = json.dumps(event, separators=(",", ":"))
    db.execute("insert into event(id, body) values(?, ?)", (event["id"], body))
    background.add_task(deliver, event["id"], body.encode())


async def deliver(event_id: str, body: bytes) -> None:
    for attempt in range(3):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        signature = hmac.new(signing_secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/json",
            "x-device-event-id": event_id,
            "x-device-timestamp": stamp,
            "x-device-signature": signature,
        }
        try:
            response = await delivering.post(config["hook"], content=body, headers=headers)
            if response.is_success:
                db.execute("update event set delivered = 1 where id = ?", (event_id,))
                return
        except httpx.HTTPError:
            pass
        await asyncio.sleep(2**attempt)


@app.post("/v1/messages")
async def send(request: Request):
    if not hmac.compare_digest(request.headers.get("x-api-key", ""), config["apiKey"]):
        return Response(status_code=401)
    body, command = await request.json(), uuid.uuid4().hex
    db.execute("insert into outbox(id, body, state) values(?, ?, 'sending')", (command, json.dumps(body)))
    answer = await ask(body["account_id"], body["to"], body["text"])
    db.execute("update outbox set state = 'sent', answer = ? where id = ?", (answer, command))
    return {"message_id": answer}


async def ask(account: str, to: str, text: str) -> str:
    if account == "acct_telegram":
        url = f"{platforms}/bot{config['botToken']}/sendMessage"
        response = await telegram_client.post(url, json={"chat_id": to, "text": text})
        return str(response.json()["result"]["message_id"])
    number = config["phones"][0]
    message = {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": text}}
    response = await numbers[number].post(f"{platforms}/v24.0/{number}/messages", json=message)
    return str(response.json()["messages"][0]["id"])


uvicorn.run(app, host="127.0.0.1", port=config["port"], log_level="error", access_log=False)
