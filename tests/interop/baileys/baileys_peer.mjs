// The Baileys peer of the WhatsApp device tests: a client that takes orders as JSON lines on standard input and
// tells answers and events as JSON lines on standard output. Its only trust anchor is the relay's key and each
// of its connections goes to the relay.
//
// usage: node baileys_peer.mjs WEBSOCKET_URL ROOT_KEY_HEX MEDIA_URL DIRECTORY
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import { syncBuiltinESMExports } from 'node:module'
import readline from 'node:readline'

const [, , url, rootKey, mediaUrl, directory] = process.argv
const media = new URL(mediaUrl)
https.request = (options, callback) =>
  http.request({ ...options, hostname: media.hostname, port: media.port, agent: undefined }, callback)
syncBuiltinESMExports()
const fetchIt = globalThis.fetch
globalThis.fetch = (target, options) => {
  const { pathname, search } = new URL(target)
  return fetchIt(media.origin + pathname + search, options)
}

for (const name of ['log', 'info', 'debug', 'warn', 'trace']) console[name] = () => {} // libsignal prints there

const baileys = await import('baileys')
const { default: pino } = await import('pino')
baileys.WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex')
const tell = (what) => process.stdout.write(JSON.stringify(what) + '\n')
const logger = pino({ level: process.env.PEER_LOG || 'silent' }, pino.destination(2))
const { state, saveCreds } = await baileys.useMultiFileAuthState(directory)
const messages = new Map() // by id: what was received or sent, for downloads and retries

let socket
let wanted = true
function connect() {
  socket = baileys.makeWASocket({
    auth: state,
    waWebSocketUrl: url,
    logger,
    markOnlineOnConnect: false,
    shouldSyncHistoryMessage: () => false,
    syncFullHistory: false,
    fireInitQueries: false,
    emitOwnEvents: false,
    enableAutoSessionRecreation: true,
    enableRecentMessageCache: true,
    getMessage: async (key) => messages.get(key.id)?.message,
  })
  socket.ev.on('creds.update', saveCreds)
  socket.ev.on('connection.update', (update) => {
    if (update.qr) tell({ event: 'qr', codes: [update.qr] })
    if (update.connection === 'open') {
      tell({ event: 'open', jid: state.creds.me.id, lid: state.creds.me.lid })
    }
    if (update.connection === 'close') {
      const code = update.lastDisconnect?.error?.output?.statusCode
      tell({ event: 'closed', reason: code, error: update.lastDisconnect?.error?.message })
      if (wanted && code === baileys.DisconnectReason.restartRequired) connect()
    }
  })
  socket.ev.on('messages.upsert', ({ messages }) => messages.forEach(received))
  socket.ev.on('messages.update', (updates) => {
    for (const { key, update } of updates) {
      if (update.message?.editedMessage) {
        const text = update.message.editedMessage.message
        tell({ event: 'message', kind: 'edit', target: key.id, chat: key.remoteJid, text: textOf(text) })
      } else if (update.messageStubType === baileys.proto.WebMessageInfo.StubType.REVOKE) {
        tell({ event: 'message', kind: 'revoke', target: key.id, chat: key.remoteJid })
      } else if (update.status === 0) {
        tell({ event: 'refused', id: key.id, code: update.messageStubParameters?.[0] })
      } else if (update.status !== undefined) {
        const type = { 3: '', 4: 'read', 5: 'played' }[update.status]
        if (type !== undefined) tell({ event: 'receipt', ids: [key.id], type, chat: key.remoteJid })
      }
    }
  })
  socket.ev.on('message-receipt.update', (updates) => {
    for (const { key, receipt } of updates) {
      const type = receipt.readTimestamp ? 'read' : ''
      tell({ event: 'receipt', ids: [key.id], type, chat: key.remoteJid, from: receipt.userJid })
    }
  })
  socket.ev.on('presence.update', ({ id, presences }) => {
    for (const [from, { lastKnownPresence }] of Object.entries(presences)) {
      tell({ event: 'typing', chat: id, from, state: lastKnownPresence })
    }
  })
  socket.ev.on('group-participants.update', ({ id, participants, action }) =>
    tell({ event: 'group', id, action, participants: participants.map((p) => p.id ?? p) }))
  socket.ev.on('groups.upsert', (groups) =>
    groups.forEach(({ id, subject }) => tell({ event: 'joined', id, subject })))
  socket.ev.on('call', (calls) => calls.forEach(({ id, status }) => tell({ event: 'call', id, status })))
}

const textOf = (m) =>
  m?.conversation ?? m?.extendedTextMessage?.text ?? m?.imageMessage?.caption ?? m?.videoMessage?.caption ??
  m?.documentMessage?.caption
const kinds = {
  imageMessage: 'image', videoMessage: 'video', documentMessage: 'document', stickerMessage: 'sticker',
  reactionMessage: 'reaction', locationMessage: 'location', contactMessage: 'contact', audioMessage: 'audio',
  pollCreationMessageV3: 'poll', pollCreationMessage: 'poll',
}

function received(m) {
  const { key } = m
  if (!m.message) {
    if (m.messageStubType === baileys.proto.WebMessageInfo.StubType.CIPHERTEXT) {
      tell({ event: 'undecryptable', id: key.id, error: m.messageStubParameters?.[0] })
    }
    return
  }
  messages.set(key.id, m)
  const content = baileys.normalizeMessageContent(m.message)
  const type = baileys.getContentType(content)
  const part = content[type]
  if (type === 'protocolMessage' && (part.type === 0 || part.type === 14)) return // told by messages.update
  const told = {
    event: 'message', id: key.id, chat: key.remoteJid, from: key.participant || key.remoteJid, from_me: key.fromMe,
    from_alt: key.participantAlt || key.remoteJidAlt, name: m.pushName, kind: kinds[type] ?? 'text',
    text: textOf(content),
  }
  if (part?.contextInfo) {
    told.quoted = part.contextInfo.stanzaId
    told.mentions = part.contextInfo.mentionedJid
    told.timer = part.contextInfo.expiration
  }
  if (type === 'audioMessage' && part.ptt) Object.assign(told, { kind: 'voice', seconds: part.seconds })
  if (type === 'reactionMessage') Object.assign(told, { text: part.text, target: part.key.id })
  if (type === 'locationMessage') {
    Object.assign(told, { latitude: part.degreesLatitude, longitude: part.degreesLongitude })
  }
  if (type === 'contactMessage') told.text = part.vcard
  if (type === 'documentMessage') told.file = part.fileName
  if (told.kind === 'poll') Object.assign(told, { text: part.name, options: part.options.map((o) => o.optionName) })
  if (told.kind === 'text' && told.text === undefined) told.kind = type
  tell(told)
}

const keyOf = ({ to, id, from, own }) =>
  ({ remoteJid: to, id, fromMe: own ?? !from, ...(from && to.endsWith('@g.us') ? { participant: from } : {}) })

async function send(order, content, options) {
  const sent = await socket.sendMessage(order.to, content, options)
  messages.set(sent.key.id, sent)
  return { id: sent.key.id }
}

async function sendMedia(order) {
  const data = await readFile(order.path)
  const content = {
    image: { image: data, caption: order.text, jpegThumbnail: '' },
    video: { video: data, caption: order.text, jpegThumbnail: '' },
    audio: { audio: data, mimetype: 'audio/mp4', seconds: 3 },
    voice: { audio: data, mimetype: 'audio/ogg; codecs=opus', ptt: true, seconds: 3, waveform: new Uint8Array(64) },
    document: { document: data, mimetype: 'application/pdf', fileName: 'paper.pdf' },
    sticker: { sticker: data },
  }[order.kind]
  return send(order, content)
}

const orders = {
  code: ({ phone }) => socket.requestPairingCode(phone),
  text: (order) => {
    const quoted = order.quoted && {
      key: { remoteJid: order.to, id: order.quoted.id, participant: order.quoted.from },
      message: { conversation: order.quoted.text },
    }
    return send(order, { text: order.text, mentions: order.mentions }, { quoted })
  },
  media: sendMedia,
  location: (order) =>
    send(order, { location: { degreesLatitude: order.latitude, degreesLongitude: order.longitude } }),
  contact: (order) => send(order, { contacts: { displayName: order.text, contacts: [{ vcard: order.vcard }] } }),
  poll: (order) => send(order, { poll: { name: order.text, values: order.options, selectableCount: 1 } }),
  react: (order) => send(order, { react: { text: order.text, key: keyOf(order) } }),
  edit: (order) => send(order, { text: order.text, edit: keyOf({ ...order, own: true }) }),
  revoke: (order) => send(order, { delete: keyOf({ ...order, own: true }) }),
  read: (order) => socket.readMessages(order.ids.map((id) => keyOf({ ...order, id, own: false }))),
  available: () => socket.sendPresenceUpdate('available'),
  group: async ({ subject, members }) => ({ id: (await socket.groupCreate(subject, members)).id }),
  download: async ({ id }) => {
    const data = await baileys.downloadMediaMessage(messages.get(id), 'buffer', {}, {
      logger, reuploadRequest: socket.updateMediaMessage,
    })
    return { sha256: createHash('sha256').update(data).digest('hex'), size: data.length }
  },
  // Lose the Signal sessions with one user, as after a loss of data.
  forget: async ({ to }) => {
    const user = to.split('@')[0]
    const lid = (await socket.signalRepository.lidMapping.getLIDForPN(to))?.split(/[:@]/)[0]
    const gone = {}
    for (const name of [user, lid]) {
      if (!name) continue
      for (const suffix of ['', '_1']) {
        for (let device = 0; device < 20; device++) gone[`${name}${suffix}.${device}`] = null
      }
    }
    await state.keys.set({ session: gone })
  },
  disconnect: async () => {
    wanted = false
    socket.end(undefined)
  },
  connect: async () => {
    wanted = true
    connect()
  },
}

connect()
for await (const line of readline.createInterface({ input: process.stdin })) {
  const order = JSON.parse(line)
  orders[order.do](order).then(
    (result) => tell({ n: order.n, result: result ?? null }),
    (error) => tell({ n: order.n, error: String(error?.stack ?? error) }))
}
process.exit(0)
