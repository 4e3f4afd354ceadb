// The Node peer with our semantics: node:http, better-sqlite3, crypto and undici. argv: its configuration as
// JSON: {port, database, hook, platforms, appSecret, signingSecret, telegramSecret, botToken, phones, apiKey}.
//
// It does: signatures on the raw body, dedupe by the platform's id, one durable commit (FULL) before 200,
// order within a conversation both ways, signed webhooks, retries and dead letters, a history of attempts and
// of commands, idempotency keys, an epoch in every transaction, a bound on what is owed.
// It does not: supervise accounts, have an API beside the send, quotas, a pace, a circuit breaker, an address
// guard, media, metrics or a log; sessions and credentials are not sealed.
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import { Pool } from "undici";
import { Deliveries } from "./deliveries.mjs";
import { ofTelegram, ofWhatsApp } from "./events.mjs";
import { newId, Store } from "./store.mjs";

const config = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const LARGEST = 1 << 20;
const store = new Store(config.database);
const deliveries = new Deliveries(store, config.hook, { secret: config.signingSecret, connections: 16 });
const platforms = new Pool(config.platforms, { connections: 64, pipelining: 1 });
const keyHash = sha256(config.apiKey);
const turns = new Map(); // conversation -> the end of its last send

function sha256(text) {
  return crypto.createHash("sha256").update(text).digest();
}

function same(given, expected) {
  const [a, b] = [Buffer.from(given ?? ""), Buffer.from(expected)];
  return a.length === b.length && crypto.timingSafeEqual(a, b);
}

async function take(events) {
  if (deliveries.full) return [503, {}];
  for (const event of await Promise.all(events.map((each) => store.commitEvent(each)))) {
    if (event) deliveries.add(event); // else the platform has repeated it
  }
  return [200, { ok: true }];
}

async function whatsapp(raw, headers) {
  const expected = "sha256=" + crypto.createHmac("sha256", config.appSecret).update(raw).digest("hex");
  if (!same(headers["x-hub-signature-256"], expected)) return [401, {}];
  return take(ofWhatsApp(JSON.parse(raw), "acct_whatsapp"));
}

async function telegram(raw, headers) {
  if (!same(headers["x-telegram-bot-api-secret-token"], config.telegramSecret)) return [401, {}];
  return take(ofTelegram(JSON.parse(raw), "acct_telegram"));
}

async function send(raw, headers) {
  if (!crypto.timingSafeEqual(sha256(headers["x-api-key"] ?? ""), keyHash)) return [401, {}];
  const order = JSON.parse(raw), lane = `${order.account_id}/${order.to}`, before = turns.get(lane);
  let release;
  const turn = new Promise((resolve) => (release = resolve));
  turns.set(lane, turn);
  try {
    return await sendInTurn(order, raw, headers["idempotency-key"] ?? null, before);
  } finally {
    release();
    if (turns.get(lane) === turn) turns.delete(lane);
  }
}

async function sendInTurn(order, raw, key, before) {
  const id = newId("msg");
  const known = await store.commit(() => {
    const found = key && store.known.get(key);
    if (!found) store.insertCommand.run(id, order.account_id, key, raw.toString(), store.epoch, Date.now());
    return found;
  });
  if (known) return [known.answer ? 200 : 409, known];
  await before;
  let state = "sent", answer = null;
  try {
    answer = await ask(order);
  } catch {
    state = "unknown"; // it is never sent again
  }
  await store.commit(() => store.endCommand.run(state, answer, Date.now(), id));
  return [answer ? 200 : 502, { id, state, message_id: answer }];
}

async function ask({ account_id, to, text }) {
  if (account_id === "acct_whatsapp") {
    const message = { messaging_product: "whatsapp", recipient_type: "individual", to, type: "text", text: { body: text } };
    const answer = await call(`/v24.0/${config.phones[0]}/messages`, message, { authorization: "Bearer token" });
    return answer.messages[0].id;
  }
  const answer = await call(`/bot${config.botToken}/sendMessage`, { chat_id: to, text }, {});
  return String(answer.result.message_id);
}

async function call(path, body, headers) {
  const answer = await platforms.request({
    path, method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body),
  });
  const said = await answer.body.json();
  if (answer.statusCode >= 300) throw new Error(`HTTP ${answer.statusCode}`);
  return said;
}

const ROUTES = { "/whatsapp": whatsapp, "/telegram": telegram, "/v1/messages": send };

function answer(response, status, value) {
  const body = JSON.stringify(value);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
}

const server = http.createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
  const route = ROUTES[request.url], chunks = [];
  let size = 0;
  if (!route) return answer(response, 404, {});
  request.on("data", (chunk) => {
    if ((size += chunk.length) > LARGEST) request.destroy();
    else chunks.push(chunk);
  });
  request.on("end", () => {
    const raw = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    route(raw, request.headers)
      .then(([status, value]) => answer(response, status, value))
      .catch((error) => answer(response, error instanceof SyntaxError ? 400 : 500, { error: error.message }));
  });
});
for (const phone of config.phones) { // the log-in of each account
  await (await platforms.request({ path: `/v24.0/${phone}`, method: "GET" })).body.json();
}
server.listen(config.port, "127.0.0.1", () => console.log("ready"));
