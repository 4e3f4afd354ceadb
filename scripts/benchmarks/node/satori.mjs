// Satori (npm) with its adapters for WhatsApp and Telegram, and two small plug-ins in place of a client: one
// posts each message that came in to a receiver, signed; one sends what is asked over HTTP.
// argv: its configuration as JSON: {port, hook, platforms, appSecret, signingSecret, botToken}.
//
// It does: parse what platforms send, sign webhooks, send. WhatsApp's signature is checked by the adapter.
// It does not: keep anything (no store, no history), recognise repeats, keep order, retry, check a key.
import { createRequire } from "node:module";
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";

const require = createRequire(import.meta.url);
const plugin = (name) => require(name).default ?? require(name);
const { Context } = require("@satorijs/core");
const { port, hook, platforms, appSecret, signingSecret, botToken } =
  JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const self = `http://127.0.0.1:${port}`;
const ctx = new Context();
ctx.plugin(plugin("@cordisjs/plugin-http"), {});
ctx.plugin(plugin("@cordisjs/plugin-server"), { host: "127.0.0.1", port, selfUrl: self });
if (botToken) ctx.plugin(plugin("@satorijs/adapter-telegram"), {
  protocol: "server", token: botToken, endpoint: platforms, path: "/telegram", selfUrl: self, files: {},
});
ctx.plugin(plugin("@satorijs/adapter-whatsapp"), {
  secret: appSecret, systemToken: "token", verifyToken: "verify", id: "1", endpoint: platforms,
});

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
ctx.on("internal/session", (session) => {
  if (session.type && !String(session.type).startsWith("message")) return;
  const body = JSON.stringify(session.toJSON()), timestamp = new Date().toISOString();
  const signature = crypto.createHmac("sha256", signingSecret).update(`${timestamp}.${body}`).digest("hex");
  const headers = {
    "content-type": "application/json", "content-length": Buffer.byteLength(body),
    "x-device-timestamp": timestamp, "x-device-signature": signature,
  };
  const request = http.request(hook, { method: "POST", agent, headers }, (answer) => answer.resume());
  request.on("error", (error) => console.error(error.message));
  request.end(body);
});

ctx.inject(["server"], ({ server }) => {
  server.get("/bots", (call) => {
    call.body = ctx.bots.map((bot) => [bot.platform, bot.status]);
  });
  server.post("/v1/messages", async (call) => {
    const { platform, to, text } = call.request.body;
    const bot = ctx.bots.find((each) => each.platform === platform);
    call.body = { ids: await bot.sendMessage(to, text) };
  });
});
await ctx.start();
