// Letter Sealing a second time, on Node's `crypto` alone, from public descriptions of the algorithm:
// https://github.com/evex-dev/linejs and https://github.com/beeper/line. The tag of version 1 is not confirmed. It
// shares no code with `unifyport.protocols.letter_sealing`, but belongs to the same project.
//
// Reads one JSON object per line, {do, …} with bytes in base64, and answers one per line. `node letter_sealing.mjs
// vectors` prints the vectors of tests/protocols/vectors/letter_sealing.json instead.
import crypto from "node:crypto";
import readline from "node:readline";

const bytes = (text) => Buffer.from(text, "base64");
const text = (data) => Buffer.from(data).toString("base64");
const sha256 = (...parts) => crypto.createHash("sha256").update(Buffer.concat(parts.map((p) => Buffer.from(p)))).digest();
const fold = (digest) => Buffer.from(digest.subarray(0, 16).map((byte, index) => byte ^ digest[16 + index]));
const int32 = (number) => { const out = Buffer.alloc(4); out.writeInt32BE(number); return out; };

// X25519 keys as Node wants them: raw bytes behind a fixed DER prefix (RFC 8410).
const privateKey = (raw) => crypto.createPrivateKey({
  key: Buffer.concat([Buffer.from("302e020100300506032b656e04220420", "hex"), raw]), format: "der", type: "pkcs8" });
const publicKey = (raw) => crypto.createPublicKey({
  key: Buffer.concat([Buffer.from("302a300506032b656e032100", "hex"), raw]), format: "der", type: "spki" });
const publicOf = (raw) =>
  crypto.createPublicKey(privateKey(raw)).export({ format: "der", type: "spki" }).subarray(-32);
const agree = (ours, theirs) =>
  crypto.diffieHellman({ privateKey: privateKey(ours), publicKey: publicKey(theirs) });

const bound = (m) => Buffer.concat([
  Buffer.from(m.to), Buffer.from(m.from), int32(m.sender_key_id), int32(m.receiver_key_id), int32(2), int32(m.content_type)]);

function seal2(m) {
  const cipher = crypto.createCipheriv("aes-256-gcm", sha256(agree(bytes(m.private), bytes(m.public)), bytes(m.salt), "Key"),
    bytes(m.nonce));
  cipher.setAAD(bound(m));
  const out = Buffer.concat([cipher.update(bytes(m.plain)), cipher.final(), cipher.getAuthTag()]);
  return [bytes(m.salt), out, bytes(m.nonce), int32(m.sender_key_id), int32(m.receiver_key_id)].map(text);
}

function open2(m) {
  const [salt, sealed, nonce] = m.chunks.map(bytes);
  const cipher = crypto.createDecipheriv("aes-256-gcm", sha256(agree(bytes(m.private), bytes(m.public)), salt, "Key"), nonce);
  cipher.setAAD(bound(m));
  cipher.setAuthTag(sealed.subarray(-16));
  return text(Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()]));
}

function seal1(m) {
  const secret = agree(bytes(m.private), bytes(m.public));
  const key = sha256(secret, bytes(m.salt), "Key");
  const cipher = crypto.createCipheriv("aes-256-cbc", key, fold(sha256(secret, bytes(m.salt), "IV")));
  const sealed = Buffer.concat([cipher.update(bytes(m.plain)), cipher.final()]);
  const block = crypto.createCipheriv("aes-256-ecb", key, null);
  block.setAutoPadding(false);
  const tag = Buffer.concat([block.update(fold(sha256(sealed))), block.final()]);
  return [bytes(m.salt), sealed, tag, int32(m.sender_key_id), int32(m.receiver_key_id)].map(text);
}

function cbc(m, fill) {
  const secret = agree(bytes(m.private), bytes(m.public));
  const cipher = crypto.createCipheriv("aes-256-cbc", sha256(secret, "Key"), fold(sha256(secret, "IV")));
  cipher.setAutoPadding(!fill);
  const plain = bytes(m.plain);
  const filled = fill ? Buffer.concat([plain, Buffer.alloc((16 - plain.length % 16) % 16)]) : plain;
  return text(Buffer.concat([cipher.update(filled), cipher.final()]));
}

function sealFile(m) {
  const derived = Buffer.from(crypto.hkdfSync("sha256", bytes(m.key_material), Buffer.alloc(0), "FileEncryption", 76));
  const counter = Buffer.concat([derived.subarray(64), Buffer.alloc(4)]);
  const cipher = crypto.createCipheriv("aes-256-ctr", derived.subarray(0, 32), counter);
  const sealed = Buffer.concat([cipher.update(bytes(m.plain)), cipher.final()]);
  const tag = crypto.createHmac("sha256", derived.subarray(32, 64));
  if (m.form === "whole") tag.update(sealed);
  else for (let at = 0; at < sealed.length; at += 131072) tag.update(sha256(sealed.subarray(at, at + 131072)));
  return text(Buffer.concat([sealed, tag.digest()]));
}

const operations = {
  seal2, open2, seal1,
  group_key: (m) => cbc(m, false),
  key_chain: (m) => cbc(m, true),
  seal_file: sealFile,
};

function vectors() {
  const fixed = (label, size) => Buffer.concat([sha256(label, "0"), sha256(label, "1")]).subarray(0, size);
  const a = fixed("a", 32), b = fixed("b", 32), g = fixed("group", 32);
  const salt = text(fixed("salt", 16)), nonce = text(fixed("nonce", 12)), long = text(fixed("nonce", 16));
  const base = { from: "u" + "a".repeat(32), to: "u" + "b".repeat(32), content_type: 0, sender_key_id: 11,
    receiver_key_id: 2147483647, salt, nonce, plain: text(Buffer.from('{"text":"xin chào 123"}')),
    private: text(a), public: text(publicOf(b)) };
  const group = { ...base, to: "c" + "c".repeat(32), receiver_key_id: 77, private: text(g), public: text(publicOf(a)) };
  const location = { ...base, content_type: 15, plain: text(Buffer.from('{"location":{"latitude":35.68,"longitude":139.76}}')) };
  const case_ = (name, op, m) => ({ name, op, ...m, result: operations[op](m) });
  const file = { key_material: text(fixed("file", 32)), plain: text(Buffer.from("a file")) };
  return { source: "tests/interop/node/letter_sealing.mjs", keys: { a: text(a), b: text(b), g: text(g) }, cases: [
    case_("text", "seal2", base), case_("group", "seal2", group), case_("location", "seal2", location),
    case_("long nonce", "seal2", { ...base, nonce: long }), case_("version 1", "seal1", base),
    case_("group key", "group_key", { private: text(a), public: text(publicOf(b)), plain: text(g) }),
    case_("file", "seal_file", { ...file, form: "whole" }), case_("video", "seal_file", { ...file, form: "pieces" }),
  ] };
}

if (process.argv[2] === "vectors") {
  console.log(JSON.stringify(vectors(), null, 1));
} else {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const message = JSON.parse(line);
    try { console.log(JSON.stringify({ result: operations[message.do](message) })); }
    catch (error) { console.log(JSON.stringify({ error: String(error) })); }
  }
}
