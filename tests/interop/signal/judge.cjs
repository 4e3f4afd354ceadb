// Signal's own library as the other device: one JSON request a line on stdin, one JSON answer a line on stdout.
// Bytes are hexadecimal. An error of the library is answered as {"error": its name}.
const readline = require("node:readline");
const signal = require("@signalapp/libsignal-client");

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const unhex = (text) => Buffer.from(text, "hex");
const publicKey = (text) => signal.PublicKey.deserialize(Buffer.concat([Buffer.from([5]), unhex(text)]));
const raw = (key) => hex(key.serialize().subarray(1));
const peer = signal.ProtocolAddress.new("peer", 1);
const groupId = "d1d1d1d1-7000-11eb-b32a-33b8a8a487a6";

class Sessions extends signal.SessionStore {
  records = new Map();
  async saveSession(name, record) { this.records.set(name.toString(), record.serialize()); }
  async getSession(name) {
    const data = this.records.get(name.toString());
    return data ? signal.SessionRecord.deserialize(data) : null;
  }
  async getExistingSessions(names) { return Promise.all(names.map((name) => this.getSession(name))); }
}

class Identities extends signal.IdentityKeyStore {
  key = signal.PrivateKey.generate();
  known = null;
  async getIdentityKey() { return this.key; }
  async getLocalRegistrationId() { return 4711; }
  async saveIdentity(name, key) {
    const before = this.known;
    this.known = key;
    return before && before.compare(key) !== 0 ? signal.IdentityChange.ReplacedExisting : signal.IdentityChange.NewOrUnchanged;
  }
  async isTrustedIdentity(name, key) { return !this.known || this.known.compare(key) === 0; }
  async getIdentity() { return this.known; }
}

class PreKeys extends signal.PreKeyStore {
  records = new Map();
  async savePreKey(id, record) { this.records.set(id, record.serialize()); }
  async getPreKey(id) {
    if (!this.records.has(id)) throw new Error("no such prekey");
    return signal.PreKeyRecord.deserialize(this.records.get(id));
  }
  async removePreKey(id) { this.records.delete(id); }
}

class SignedPreKeys extends signal.SignedPreKeyStore {
  records = new Map();
  async saveSignedPreKey(id, record) { this.records.set(id, record.serialize()); }
  async getSignedPreKey(id) { return signal.SignedPreKeyRecord.deserialize(this.records.get(id)); }
}

class KyberPreKeys extends signal.KyberPreKeyStore {
  async saveKyberPreKey() {}
  async getKyberPreKey() { throw new Error("no kyber keys here"); }
  async markKyberPreKeyUsed() {}
}

class SenderKeys extends signal.SenderKeyStore {
  records = new Map();
  async saveSenderKey(sender, id, record) { this.records.set(`${sender}/${id}`, record.serialize()); }
  async getSenderKey(sender, id) {
    const data = this.records.get(`${sender}/${id}`);
    return data ? signal.SenderKeyRecord.deserialize(data) : null;
  }
}

const sessions = new Sessions();
const identities = new Identities();
const prekeys = new PreKeys();
const signedPrekeys = new SignedPreKeys();
const senderKeys = new SenderKeys();
const own = signal.ProtocolAddress.new("judge", 1);

const requests = {
  async bundle({ prekey_id, signed_prekey_id }) {
    const signed = signal.PrivateKey.generate();
    const signature = identities.key.sign(signed.getPublicKey().serialize());
    const record = signal.SignedPreKeyRecord.new(signed_prekey_id, 1, signed.getPublicKey(), signed, signature);
    await signedPrekeys.saveSignedPreKey(signed_prekey_id, record);
    const bundle = {
      registration_id: 4711, identity: raw(identities.key.getPublicKey()),
      signed_prekey_id, signed_prekey: raw(signed.getPublicKey()), signature: hex(signature),
    };
    if (prekey_id === null) return bundle;
    const prekey = signal.PrivateKey.generate();
    await prekeys.savePreKey(prekey_id, signal.PreKeyRecord.new(prekey_id, prekey.getPublicKey(), prekey));
    return { ...bundle, prekey_id, prekey: raw(prekey.getPublicKey()) };
  },
  async start(bundle) {
    const made = signal.PreKeyBundle.new(
      bundle.registration_id, 1, bundle.prekey_id, bundle.prekey && publicKey(bundle.prekey),
      bundle.signed_prekey_id, publicKey(bundle.signed_prekey), unhex(bundle.signature), publicKey(bundle.identity),
    );
    await signal.processPreKeyBundle(made, peer, sessions, identities);
    return {};
  },
  async encrypt({ plaintext }) {
    const message = await signal.signalEncrypt(unhex(plaintext), peer, sessions, identities);
    return { type: message.type() === signal.CiphertextMessageType.PreKey ? "pkmsg" : "msg", body: hex(message.serialize()) };
  },
  async decrypt({ type, body }) {
    const plaintext = type === "pkmsg"
      ? await signal.signalDecryptPreKey(
        signal.PreKeySignalMessage.deserialize(unhex(body)), peer, sessions, identities, prekeys, signedPrekeys,
        new KyberPreKeys(),
      )
      : await signal.signalDecrypt(signal.SignalMessage.deserialize(unhex(body)), peer, sessions, identities);
    return { plaintext: hex(plaintext), prekeys: [...prekeys.records.keys()] };
  },
  // Sender keys have other field numbers in this library than at WhatsApp: their parts cross, not their framing.
  async distribute() {
    const message = await signal.SenderKeyDistributionMessage.create(own, groupId, senderKeys);
    const signing = message.serialize().subarray(-32);
    return { id: message.chainId(), iteration: message.iteration(), chain_key: hex(message.chainKey()), signing_key: hex(signing) };
  },
  async accept({ id, iteration, chain_key, signing_key }) {
    const message = signal.SenderKeyDistributionMessage._new(
      3, groupId, id, iteration, unhex(chain_key), publicKey(signing_key),
    );
    await signal.processSenderKeyDistributionMessage(peer, message, senderKeys);
    return {};
  },
  async encrypt_group({ plaintext }) {
    const body = (await signal.groupEncrypt(own, groupId, senderKeys, unhex(plaintext))).serialize();
    const message = signal.SenderKeyMessage.deserialize(body);
    return { id: message.chainId(), iteration: message.iteration(), ciphertext: hex(message.ciphertext()), body: hex(body) };
  },
  async decrypt_group({ id, iteration, ciphertext, signing_private }) {
    const key = signal.PrivateKey.deserialize(unhex(signing_private));
    const message = signal.SenderKeyMessage._new(3, groupId, id, iteration, unhex(ciphertext), key);
    return { plaintext: hex(await signal.groupDecrypt(peer, senderKeys, message.serialize())) };
  },
  async sign({ message }) { return { signature: hex(identities.key.sign(unhex(message))) }; },
  async verify({ public: key, message, signature }) {
    return { valid: publicKey(key).verify(unhex(message), unhex(signature)) };
  },
  async hkdf({ length, secret, info, salt }) {
    return { derived: hex(signal.hkdf(length, unhex(secret), unhex(info), unhex(salt))) };
  },
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { do: name, ...fields } = JSON.parse(line);
    const answer = await requests[name](fields).catch((error) => ({ error: error.name, text: error.message }));
    console.log(JSON.stringify(answer));
  }
})();
