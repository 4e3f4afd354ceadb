// The same pipeline in Node: platform update, better-sqlite3, HMAC, undici's Pool.request, better-sqlite3.
// argv: a job of `job.py`; prints one line.
//
// It does: JSON.parse, our event body byte for byte (except the id), group commit of events and debts in one
// transaction with synchronous=FULL and our pragmas, the same headers and signature, 32 requests in flight;
// delivered events are deleted in the next group commit. `linger`: ms to wait for more events before a
// commit; 0: until the loop's next turn.
// It does not: recognise duplicates, keep order within a conversation or a history of attempts, fence, retry,
// have bounds or an address guard, or pass work between actors. Commits block its loop, as better-sqlite3 is
// synchronous.
const Database = require("better-sqlite3");
const { Pool } = require("undici");
const crypto = require("crypto");
const fs = require("fs");
const path = require("path");

const job = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const db = new Database(path.join(job.directory, "node.db"));
for (const pragma of [
  ...["journal_mode = wal", `synchronous = ${job.synchronous}`, "cache_size = -65536"],
  ...["temp_store = memory", "wal_autocheckpoint = 4000"],
]) db.pragma(pragma);
db.exec(`
  create table event(seq integer primary key, id text not null, account text not null, at real not null,
    body blob not null);
  create table delivery(seq integer primary key, endpoint integer not null, state integer not null default 0,
    due real not null, attempts integer not null default 0);
  create index delivery_due on delivery(due) where state = 0;
`);
const insertEvent = db.prepare("insert into event values(?, ?, ?, ?, ?)");
const insertDebt = db.prepare("insert into delivery(seq, endpoint, due) values(?, 1, ?)");
const deleteDebt = db.prepare("delete from delivery where seq = ?");
const commit = db.transaction((events, ended) => {
  for (const e of events) {
    insertEvent.run(e.seq, e.id, "acct_1", e.at, e.body);
    insertDebt.run(e.seq, e.at);
  }
  for (const seq of ended) deleteDebt.run(seq);
});

const url = new URL(job.url);
const pool = new Pool(url.origin, { connections: job.connections, pipelining: 1 });
let updates, next, seq = 0, delivered = 0, settled = 0, upto = 0, arrived; // of the current flood
let fresh = [], ended = [], scheduled = false; // for the next commit
let ready = [], head = 0, inFlight = 0;

const stamp = (ms) => new Date(ms).toISOString().slice(0, 19) + "Z";
const name = (person) => `${person.first_name} ${person.last_name}`;

function eventOf(update, id) {
  const { chat, from, message_id, date, text } = update.message;
  const at = stamp(date * 1000);
  return {
    id, type: "message.received", event: "message.received", provider: "telegram", account_id: "acct_1",
    occurred_at: at, timestamp: date, from: String(from.id), text, message_id: String(message_id),
    data: {
      conversation: { id: String(chat.id), type: "user", title: name(chat) },
      sender: { id: String(from.id), type: "user", name: name(from), username: from.username },
      message: { id: String(message_id), type: "text", text, direction: "inbound", sent_at: at },
      event: { kind: "message_received" },
    },
  };
}

function produce() {
  while (next < updates.length && seq - delivered < job.undelivered) {
    const id = "evt_" + String(++seq).padStart(26, "0");
    const body = Buffer.from(JSON.stringify(eventOf(JSON.parse(updates[next++]), id)));
    fresh.push({ seq, id, at: Date.now(), body });
  }
  if (fresh.length) schedule();
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  if (job.linger) setTimeout(flush, job.linger);
  else setImmediate(flush);
}

function flush() {
  scheduled = false;
  const [events, done] = [fresh, ended];
  fresh = [];
  ended = [];
  commit(events, done);
  for (const e of events) ready.push(e);
  settled += done.length;
  if (settled === upto) return arrived();
  pump();
}

function pump() {
  while (inFlight < job.connections && head < ready.length) {
    inFlight++;
    deliver(ready[head++]);
  }
  if (head > 10000) {
    ready = ready.slice(head);
    head = 0;
  }
}

async function deliver(e) {
  const timestamp = stamp(Date.now());
  const hmac = crypto.createHmac("sha256", job.secret);
  const signature = hmac.update(timestamp + ".").update(e.body).digest("hex");
  const headers = {
    "user-agent": "node/1",
    "content-type": "application/json",
    "x-device-event-id": e.id,
    "x-device-delivery-id": `dlv_1_${e.seq}.1`,
    "x-device-timestamp": timestamp,
    "x-device-signature": signature,
  };
  const answer = await pool.request({ path: url.pathname, method: "POST", headers, body: e.body });
  await answer.body.dump();
  if (answer.statusCode !== 204) throw new Error(`HTTP ${answer.statusCode}`);
  ended.push(e.seq);
  inFlight--;
  delivered++;
  schedule();
  pump();
  produce();
}

function made(first, count) {
  const parts = job.update.split("@");
  const one = (n) => parts.map((part, place) =>
    place === 0 ? part : (part[0] === "n" ? n : 5000 + (n % job.conversations)) + part.slice(1)).join("");
  return Array.from({ length: count }, (_, n) => one(first + n));
}

function flood(made) {
  return new Promise((resolve) => {
    [updates, next, upto, arrived] = [made, 0, upto + made.length, resolve];
    produce();
  });
}

async function main() {
  await flood(made(0, Math.floor(job.count / 10))); // not counted
  const updates = made(job.count, job.count);
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  await flood(updates);
  const [seconds, used] = [(performance.now() - began) / 1e3, process.cpuUsage(cpu)];
  console.log(JSON.stringify({ operations: job.count, seconds, cpu: (used.user + used.system) / 1e6 }));
  process.exit(0);
}

main();
