// Calls a running gateway through a client whose types are generated from its OpenAPI document.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

const [baseUrl, key] = process.argv.slice(2) as [string, string];
const client = createClient<paths>({ baseUrl, headers: { "X-Api-Key": key } });

function given<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`no ${what}`);
  return value;
}

const accounts = await client.GET("/v1/accounts");
const account = given(accounts.data?.data[0], "account");

const endpoint = await client.POST("/v1/webhook-endpoints", {
  body: {
    url: "https://127.0.0.1/hook",
    status: "inactive",
    subscribed_events: ["message.received", "provider.event"],
    delivery: { timeout: "5s" },
  },
});
const endpointId = given(endpoint.data?.data.id, "endpoint");
const removed = await client.DELETE("/v1/webhook-endpoints/{endpoint_id}", {
  params: { path: { endpoint_id: endpointId } },
});

const message = { type: "text", text: "hello" } as const;
const sent = await client.POST("/v1/messages", {
  body: { account_id: account.id, to: { id: "7", type: "user" }, message },
});
const commandId = given(sent.data?.data.command_id, "command");
const command = await client.GET("/v1/commands/{command_id}", {
  params: { path: { command_id: commandId } },
});

const refused = await client.POST("/v1/messages", {
  body: { account_id: account.id, to: { id: "999", type: "user" }, message },
});
const error: components["schemas"]["ErrorEnvelope"] = given(refused.error, "error");

const events = await client.GET("/v1/events", { params: { query: { type: "message.received" } } });
const event = given(events.data?.data.items[0], "event") as components["schemas"]["MessageReceivedEvent"];

console.log(
  JSON.stringify({
    provider: account.provider,
    metadata: account.metadata,
    removed: removed.response.status,
    outcome: command.data?.data.outcome,
    code: error.error.code,
    reason: error.error.reason,
    said: error.error.provider?.message,
    event: event.data.message.text,
  }),
);
