// The deliveries of the Node peer: signed, in order within a conversation, with retries and a history.
// An event waits until the one before it in its conversation was accepted, or is dead. What is owed is kept in
// memory too, so `full` says when no more can be taken. It has no circuit breaker and no address guard.
import crypto from "node:crypto";
import { Pool } from "undici";

const DELAYS = [5, 30, 120, 600]; // seconds after the first attempts, +-20 %
const MOST_OWED = 10_000;
const TIMEOUT = 10_000;

export const stamp = (ms) => new Date(ms).toISOString().slice(0, 19) + "Z";

export class Deliveries {
  // `ended` is called for each event whose outcome is on the disk.
  constructor(store, url, { secret, connections = 32, ended = () => {} }) {
    const { origin, pathname } = new URL(url);
    this.pool = new Pool(origin, {
      connections, pipelining: 1, headersTimeout: TIMEOUT, bodyTimeout: TIMEOUT,
    });
    Object.assign(this, { store, secret, connections, ended, path: pathname });
    this.lanes = new Map(); // conversation -> events in order; the first one may be in flight
    this.ready = []; // first events of lanes
    this.inFlight = this.owed = 0;
    for (const debt of store.debts.all()) this.add(debt);
  }

  get full() {
    return this.owed >= MOST_OWED;
  }

  add(event) {
    this.owed++;
    const lane = this.lanes.get(event.lane);
    if (lane) return lane.push(event);
    this.lanes.set(event.lane, [event]);
    this.offer(event);
  }

  offer(event) {
    const wait = (event.due ?? 0) - Date.now();
    if (wait > 0) return setTimeout(() => this.offer({ ...event, due: null }), wait);
    this.ready.push(event);
    this.pump();
  }

  pump() {
    while (this.inFlight < this.connections && this.ready.length) {
      this.inFlight++;
      this.attempt(this.ready.shift());
    }
  }

  async attempt(event) {
    const at = Date.now(), attempt = event.attempts + 1;
    let status = null, error = null;
    try {
      status = await this.post(event, attempt, at);
    } catch (failure) {
      error = failure.code ?? failure.message;
    }
    this.inFlight--;
    const ms = Date.now() - at, delivered = status >= 200 && status < 300;
    if (delivered) this.next(event);
    this.pump();
    const record = (outcome) => this.store.insertAttempt.run(event.seq, attempt, outcome, at, ms, status, error);
    if (delivered) {
      await this.store.commit(() => {
        record("delivered");
        this.store.deleteDebt.run(event.seq);
      });
      this.ended(event);
    } else await this.failed(event, attempt, status ?? error, record);
  }

  async post(event, attempt, at) {
    const timestamp = stamp(at);
    const hmac = crypto.createHmac("sha256", this.secret);
    const signature = hmac.update(timestamp + ".").update(event.body).digest("hex");
    const headers = {
      "user-agent": "node/1",
      "content-type": "application/json",
      "x-device-event-id": event.id,
      "x-device-delivery-id": `dlv_1_${event.seq}.${attempt}`,
      "x-device-timestamp": timestamp,
      "x-device-signature": signature,
    };
    const answer = await this.pool.request({ path: this.path, method: "POST", headers, body: event.body });
    await answer.body.dump();
    return answer.statusCode;
  }

  async failed(event, attempt, reason, record) {
    const delay = DELAYS[attempt - 1];
    if (delay === undefined) {
      await this.store.commit(() => {
        record("dead");
        this.store.insertDead.run(String(reason), Date.now(), event.seq);
        this.store.deleteDebt.run(event.seq);
      });
      this.next(event);
      this.ended(event);
      return;
    }
    const due = Date.now() + Math.round(delay * 1000 * (0.8 + 0.4 * Math.random()));
    await this.store.commit(() => {
      record("failed");
      this.store.delayDebt.run(attempt, due, String(reason), event.seq);
    });
    this.offer({ ...event, attempts: attempt, due });
  }

  next(event) {
    this.owed--;
    const lane = this.lanes.get(event.lane);
    lane.shift();
    if (lane.length) this.offer(lane[0]);
    else this.lanes.delete(event.lane);
  }
}
