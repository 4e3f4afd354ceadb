// Messages of platforms as our public events: the same body, byte for byte, except for the id.
import { stamp } from "./deliveries.mjs";

function received({ provider, account, lane, date, key, message, sender, conversation }) {
  const at = stamp(date * 1000);
  return {
    account, key, lane,
    body: {
      type: "message.received", event: "message.received", provider, account_id: account,
      occurred_at: at, timestamp: date, from: sender.id, text: message.text, message_id: message.id,
      data: {
        conversation,
        sender,
        message: { id: message.id, type: "text", text: message.text, direction: "inbound", sent_at: at },
        event: { kind: "message_received" },
      },
    },
  };
}

const named = (person) => [person.first_name, person.last_name].filter(Boolean).join(" ");

export function ofTelegram(update, account) {
  const { chat, from, message_id, date, text } = update.message;
  const id = String(chat.id);
  return [received({
    provider: "telegram", account, lane: `${account}/${id}`, date, key: `${id}/${message_id}`,
    message: { id: String(message_id), text },
    sender: { id: String(from.id), type: "user", name: named(from), username: from.username },
    conversation: { id, type: "user", title: named(chat) },
  })];
}

export function ofWhatsApp(body, account) {
  const found = [];
  for (const entry of body.entry) for (const { value } of entry.changes) {
    const names = new Map((value.contacts ?? []).map((each) => [each.wa_id, each.profile?.name]));
    for (const { id, from, timestamp, text } of value.messages ?? []) {
      found.push(received({
        provider: "whatsapp", account, lane: `${account}/${from}`, date: Number(timestamp), key: id,
        message: { id, text: text.body },
        sender: { id: from, type: "user", name: names.get(from) },
        conversation: { id: from, type: "user", title: names.get(from) },
      }));
    }
  }
  return found;
}
