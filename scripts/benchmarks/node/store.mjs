// The store of the Node peer: better-sqlite3 with our pragmas, and one transaction for all that waits.
// A write is a function that runs its statements and returns a value. `commit` resolves to that value once it
// is on the disk (synchronous = FULL); if any write of a transaction fails, all of them fail.
// Commits block the loop, as better-sqlite3 is synchronous.
import Database from "better-sqlite3";
import crypto from "node:crypto";

const SCHEMA = `
  create table if not exists lease(resource text primary key, epoch integer not null);
  create table if not exists seen(account text not null, key text not null, day integer not null,
    primary key(account, key)) without rowid;
  create table if not exists event(seq integer primary key autoincrement, id text not null unique,
    account text not null, lane text not null, at integer not null, body blob not null);
  create index if not exists event_account on event(account, seq);
  create table if not exists delivery(seq integer primary key, lane text not null,
    attempts integer not null default 0, due integer, error text);
  create index if not exists delivery_due on delivery(due, seq) where due is not null;
  create table if not exists dead(seq integer primary key, reason text not null, at integer not null,
    body blob not null);
  create table if not exists attempt(seq integer not null, attempt integer not null, outcome text not null,
    at integer not null, ms integer not null, status integer, error text,
    primary key(seq, attempt)) without rowid;
  create table if not exists command(id text primary key, account text not null, key text unique,
    body text not null, state text not null, epoch integer not null, answer text,
    created_at integer not null, finished_at integer) without rowid;
  create index if not exists command_open on command(account) where state in ('accepted', 'sending');
`;
const DAY_MS = 86_400_000;

export class Store {
  // `linger`: ms to wait for more writes before a commit; 0: until the loop's next turn.
  constructor(path, { synchronous = "full", linger = 0 } = {}) {
    this.db = new Database(path);
    for (const pragma of [
      ...["journal_mode = wal", `synchronous = ${synchronous}`, "cache_size = -65536"],
      ...["temp_store = memory", "wal_autocheckpoint = 4000"],
    ]) this.db.pragma(pragma);
    this.db.exec(SCHEMA);
    this.linger = linger;
    this.waiting = [];
    this.epoch = this.db.prepare(
      "insert into lease values('all', 1) on conflict do update set epoch = epoch + 1 returning epoch",
    ).get().epoch;
    this.prepare();
    this.all = this.db.transaction((writes) => {
      if (this.lease.get().epoch !== this.epoch) throw new Error("another process has taken over");
      return writes.map((each) => each.write());
    });
  }

  prepare() {
    const statement = (sql) => this.db.prepare(sql);
    this.lease = statement("select epoch from lease where resource = 'all'");
    this.see = statement("insert into seen values(?, ?, ?) on conflict do nothing");
    this.insertEvent = statement("insert into event(id, account, lane, at, body) values(?, ?, ?, ?, ?)");
    this.insertDebt = statement("insert into delivery(seq, lane) values(?, ?)");
    this.deleteDebt = statement("delete from delivery where seq = ?");
    this.delayDebt = statement("update delivery set attempts = ?, due = ?, error = ? where seq = ?");
    this.insertAttempt = statement("insert into attempt values(?, ?, ?, ?, ?, ?, ?)");
    this.insertDead = statement("insert into dead select seq, ?, ?, body from event where seq = ?");
    this.debts = statement(`select seq, delivery.lane, attempts, due, id, body
      from delivery join event using(seq) order by seq`);
    this.known = statement("select id, state, answer from command where key = ?");
    this.insertCommand = statement("insert into command values(?, ?, ?, ?, 'sending', ?, null, ?, null)");
    this.endCommand = statement("update command set state = ?, answer = ?, finished_at = ? where id = ?");
  }

  commit(write) {
    return new Promise((resolve, reject) => {
      if (this.waiting.push({ write, resolve, reject }) > 1) return;
      if (this.linger) setTimeout(() => this.flush(), this.linger);
      else setImmediate(() => this.flush());
    });
  }

  flush() {
    const writes = this.waiting;
    this.waiting = [];
    try {
      const values = this.all(writes);
      writes.forEach((each, n) => each.resolve(values[n]));
    } catch (error) {
      for (const each of writes) each.reject(error);
    }
  }

  // An event and its debt in one transaction. Resolves to null if the platform has sent it before.
  commitEvent({ account, key, lane, body }) {
    return this.commit(() => {
      const at = Date.now();
      if (!this.see.run(account, key, Math.floor(at / DAY_MS)).changes) return null;
      const id = newId("evt");
      const bytes = Buffer.from(JSON.stringify({ id, ...body }));
      const seq = this.insertEvent.run(id, account, lane, at, bytes).lastInsertRowid;
      this.insertDebt.run(seq, lane);
      return { seq, id, lane, attempts: 0, body: bytes };
    });
  }
}

export const newId = (kind) =>
  `${kind}_${Date.now().toString(16).padStart(12, "0")}${crypto.randomBytes(7).toString("hex")}`;
