// undici's Pool.request alone: as many connections as workers, no pipelining. argv: a job; prints one line.
// It checks the status and reads the (empty) body. It has undici's time-outs, no address guard and no bounds.
import fs from "node:fs";
import { Pool } from "undici";

const job = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const url = new URL(job.url);
const pool = new Pool(url.origin, { connections: job.connections, pipelining: 1 });
const body = Buffer.from(job.body);
const WARM_MS = 2000;
let done = 0;
let stopped = false;

async function worker() {
  while (!stopped) {
    const answer = await pool.request({ path: url.pathname, method: "POST", headers: job.headers, body });
    await answer.body.dump();
    if (answer.statusCode !== 204) throw new Error(`HTTP ${answer.statusCode}`);
    done++;
  }
}

const workers = Array.from({ length: job.connections }, worker);
setTimeout(() => {
  const [before, began, cpu] = [done, performance.now(), process.cpuUsage()];
  setTimeout(() => {
    const [operations, used] = [done - before, process.cpuUsage(cpu)];
    const seconds = (performance.now() - began) / 1e3;
    stopped = true;
    console.log(JSON.stringify({ operations, seconds, cpu: (used.user + used.system) / 1e6 }));
  }, job.seconds * 1000);
}, WARM_MS);
await Promise.all(workers);
process.exit(0);
