// Linked devices of Baileys in one process, for the benchmarks. It says what happens as JSON lines: a QR code for
// each device, that all are open, and every 20 ms, if there are more, how many messages were decrypted.
//
// usage: node --expose-gc devices.mjs WEBSOCKET_URL ROOT_KEY_HEX COUNT [DIRECTORY]
// With a directory the keys are kept in files, by Baileys' own `useMultiFileAuthState`; else in memory.
import { writeSync } from 'node:fs'

for (const name of ['log', 'info', 'debug', 'warn', 'error']) console[name] = () => {} // libsignal prints there
const baileys = await import('baileys')
const { default: pino } = await import('pino')
const [, , url, rootKey, count, directory] = process.argv
baileys.WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex')
const say = (what) => writeSync(1, JSON.stringify(what) + '\n')
const logger = pino({ level: 'silent' })
let open = 0
let received = 0
let told = 0

function inMemory() {
  const kept = {}
  const keys = {
    get: async (type, ids) => Object.fromEntries(ids.map((id) => [id, kept[type]?.[id]])),
    set: async (data) => {
      for (const type in data) {
        kept[type] ??= {}
        for (const id in data[type]) {
          if (data[type][id]) kept[type][id] = data[type][id]
          else delete kept[type][id]
        }
      }
    },
  }
  return { state: { creds: baileys.initAuthCreds(), keys }, saveCreds: () => {} }
}

async function link(number) {
  const { state, saveCreds } = directory ? await baileys.useMultiFileAuthState(`${directory}/${number}`) : inMemory()
  await new Promise((linked) => {
    const connect = () => {
      const socket = baileys.makeWASocket({
        auth: state, waWebSocketUrl: url, logger, fireInitQueries: false, markOnlineOnConnect: false,
        emitOwnEvents: false, shouldSyncHistoryMessage: () => false, syncFullHistory: false,
      })
      socket.ev.on('creds.update', saveCreds)
      socket.ev.on('connection.update', ({ qr, connection, lastDisconnect }) => {
        if (qr) say({ qr })
        if (connection === 'open') linked()
        if (connection === 'close' && lastDisconnect?.error?.output?.statusCode === 515) connect()
      })
      socket.ev.on('messages.upsert', ({ messages }) => (received += messages.filter((m) => m.message).length))
    }
    connect()
  })
  open++
}

for (let number = 0; number < +count; number++) await link(number)
say({ open })
setInterval(() => {
  globalThis.gc?.()
}, 1000)
setInterval(() => {
  if (received !== told) say({ received: (told = received) })
}, 20)
