// The durable pipeline of the Node peer without platform and API: update -> event on the disk -> signed
// webhook, with the store and the deliveries of `gateway.mjs`. argv: a job of `job.py`; prints one line.
// An event is done when the sink's 2xx is on the disk. `linger`: ms to wait for more before a commit.
import fs from "node:fs";
import path from "node:path";
import { Deliveries } from "./deliveries.mjs";
import { ofTelegram } from "./events.mjs";
import { Store } from "./store.mjs";

const job = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const store = new Store(path.join(job.directory, "node.db"), job);
const deliveries = new Deliveries(store, job.url, { ...job, ended });
let updates, next, upto, arrived, handedIn = 0, done = 0; // of the current flood

function produce() {
  while (next < updates.length && handedIn - done < job.undelivered) {
    handedIn++;
    const [event] = ofTelegram(JSON.parse(updates[next++]), "acct_1");
    store.commitEvent(event).then((found) => deliveries.add(found));
  }
}

function ended() {
  done++;
  if (done === upto) arrived();
  else produce();
}

function made(first, count) {
  const parts = job.update.split("@");
  const one = (n) => parts.map((part, place) =>
    place === 0 ? part : (part[0] === "n" ? n : 5000 + (n % job.conversations)) + part.slice(1)).join("");
  return Array.from({ length: count }, (_, n) => one(first + n));
}

function flood(made) {
  return new Promise((resolve) => {
    [updates, next, upto, arrived] = [made, 0, handedIn + made.length, resolve];
    produce();
  });
}

await flood(made(0, Math.floor(job.count / 10))); // not counted
const many = made(job.count, job.count);
const [began, cpu] = [performance.now(), process.cpuUsage()];
await flood(many);
const [seconds, used] = [(performance.now() - began) / 1e3, process.cpuUsage(cpu)];
console.log(JSON.stringify({ operations: job.count, seconds, cpu: (used.user + used.system) / 1e6 }));
process.exit(0);
