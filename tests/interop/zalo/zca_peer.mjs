// The zca-js peer of the Zalo tests: a web client that takes orders as JSON lines on standard input and tells
// answers and events as JSON lines on standard output. zca-js is used as it is: by its own options, requests
// for https://HOST/PATH go to WEB_URL/HOST/PATH, and its socket connects to SOCKET_URL without TLS.
//
// usage: node zca_peer.mjs WEB_URL SOCKET_URL [SESSION_JSON]
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import https from 'node:https'
import net from 'node:net'
import path from 'node:path'
import readline from 'node:readline'
import { LoginQRCallbackEventType as Step, Reactions, ThreadType, Zalo } from 'zca-js'

const [, , web, socketUrl, session] = process.argv
const tell = (what) => process.stdout.write(JSON.stringify(what) + '\n')
const socket = new URL(socketUrl)
class Plain extends https.Agent {
  createConnection() {
    return net.connect(Number(socket.port), socket.hostname)
  }
}
const polyfill = (target, options) => {
  const { protocol, host, pathname, search } = new URL(target)
  return fetch(protocol === 'http:' ? target : `${web}/${host}${pathname}${search}`, options)
}
const zalo = new Zalo({ polyfill, agent: new Plain(), checkUpdate: false, logging: false, selfListen: true })
const names = Object.fromEntries(Object.entries(Step).filter(([name]) => Number.isNaN(Number(name))).map(([a, b]) => [b, a]))

async function login() {
  if (session) return zalo.login(JSON.parse(session))
  return zalo.loginQR({ userAgent: 'Mozilla/5.0 (peer)' }, ({ type, data, actions }) => {
    if (type === Step.QRCodeGenerated) tell({ event: 'qr', code: data.code, token: data.token })
    else if (type === Step.QRCodeScanned) tell({ event: 'scanned', name: data.display_name })
    else if (type === Step.GotLoginInfo) tell({ event: 'session', session: data })
    else {
      tell({ event: names[type] })
      if (type === Step.QRCodeDeclined || type === Step.QRCodeExpired) actions.retry()
    }
  })
}

const messages = new Map() // by msgId, for quotes, receipts, reactions and undo
let api
let listener
try {
  api = await login()
} catch (error) {
  tell({ event: 'failed', error: String(error?.stack ?? error) })
  process.exit(1)
}

function listen() {
  listener = api.listener
  listener.on('cipher_key', () => tell({ event: 'open', id: api.getOwnId() }))
  listener.on('closed', (code, reason) => tell({ event: 'closed', code, reason }))
  listener.on('error', (error) => tell({ event: 'error', error: String(error?.stack ?? error) }))
  listener.on('message', (message) => told('message', message))
  listener.on('old_messages', (found, type) => {
    for (const message of found) told('old', message)
    tell({ event: 'old_messages', group: type === ThreadType.Group, count: found.length })
  })
  listener.on('old_reactions', (found, group) =>
    tell({ event: 'old_reactions', group, icons: found.map(({ data }) => JSON.parse(data.content).rIcon) }))
  listener.on('seen_messages', (found) =>
    found.forEach(({ data, threadId, type }) =>
      tell({ event: 'seen', id: data.msgId, thread: threadId, group: type === ThreadType.Group, by: data.seenUids })))
  listener.on('delivered_messages', (found) =>
    found.forEach(({ data, threadId, type }) =>
      tell({ event: 'delivered', id: data.msgId, thread: threadId, group: type === ThreadType.Group, by: data.deliveredUids })))
  listener.on('undo', ({ data, threadId, isSelf, isGroup }) =>
    tell({ event: 'undo', id: String(data.content.globalMsgId), from: data.uidFrom, thread: threadId, self: isSelf, group: isGroup }))
  listener.on('reaction', ({ data, threadId, isSelf, isGroup }) =>
    tell({
      event: 'reaction', icon: data.content.rIcon, type: data.content.rType, from: data.uidFrom, thread: threadId,
      id: String(data.content.rMsg[0].gMsgID), self: isSelf, group: isGroup,
    }))
  listener.on('typing', ({ data, threadId, type }) =>
    tell({ event: 'typing', from: data.uid, thread: threadId, group: type === ThreadType.Group }))
  listener.on('group_event', ({ type, data, threadId, isSelf }) =>
    tell({
      event: 'group_event', type, thread: threadId, self: isSelf, name: data.groupName,
      members: (data.updateMembers ?? []).map((member) => member.id),
    }))
  listener.on('friend_event', ({ type, data, threadId, isSelf }) =>
    tell({ event: 'friend_event', type, thread: threadId, self: isSelf, message: data?.message }))
  listener.start()
}

function told(event, { type, data, threadId, isSelf }) {
  messages.set(data.msgId, data)
  const text = typeof data.content === 'string'
  tell({
    event, id: data.msgId, clientId: data.cliMsgId, kind: data.msgType, thread: threadId, self: isSelf,
    group: type === ThreadType.Group, from: data.uidFrom, name: data.dName,
    text: text ? data.content : data.content.title, content: text ? undefined : data.content,
    quoted: data.quote && { owner: data.quote.ownerId, id: String(data.quote.globalMsgId), text: data.quote.msg },
    mentions: data.mentions,
  })
}

const typeOf = ({ group }) => (group ? ThreadType.Group : ThreadType.User)
const found = (id) => {
  if (!messages.has(id)) throw new Error(`no message ${id}`)
  return messages.get(id)
}

async function send(order, message) {
  const { message: text, attachment } = await api.sendMessage(message, order.to, typeOf(order))
  return { id: String((text ?? attachment[0]).msgId), ids: attachment.map((each) => String(each.msgId)) }
}

const orders = {
  text: (order) =>
    send(order, {
      msg: order.text, mentions: order.mentions, styles: order.styles, quote: order.quoted && found(order.quoted),
    }),
  file: async (order) => {
    const data = await readFile(order.path)
    const metadata = { totalSize: data.length, width: 1, height: 1 }
    return send(order, { msg: order.text ?? '', attachments: [{ data, filename: path.basename(order.path), metadata }] })
  },
  sticker: async (order) => ({ id: String((await api.sendSticker(order.sticker, order.to, typeOf(order))).msgId) }),
  card: async (order) =>
    ({ id: String((await api.sendCard({ userId: order.user, phoneNumber: order.phone }, order.to, typeOf(order))).msgId) }),
  voice: async (order) => ({ id: String((await api.sendVoice({ voiceUrl: order.url }, order.to, typeOf(order))).msgId) }),
  video: async (order) =>
    ({
      id: String((await api.sendVideo(
        { videoUrl: order.url, thumbnailUrl: order.url, msg: order.text ?? '' }, order.to, typeOf(order))).msgId),
    }),
  undo: ({ id, to, ...order }) => api.undo({ msgId: id, cliMsgId: found(id).cliMsgId }, to, typeOf(order)),
  react: ({ id, to, icon, ...order }) =>
    api.addReaction(Reactions[icon], { data: { msgId: id, cliMsgId: found(id).cliMsgId }, threadId: to, type: typeOf(order) }),
  delivered: ({ ids, seen, ...order }) => api.sendDeliveredEvent(Boolean(seen), ids.map(found), typeOf(order)),
  seen: ({ ids, ...order }) => api.sendSeenEvent(ids.map(found), typeOf(order)),
  typing: ({ to, ...order }) => api.sendTypingEvent(to, typeOf(order)),
  keep_alive: () => api.keepAlive(),
  old: (order) => listener.requestOldMessages(typeOf(order), order.last ?? null),
  old_reactions: (order) => listener.requestOldReactions(typeOf(order), order.last ?? null),
  me: async () => (await api.fetchAccountInfo()).profile,
  create_group: ({ name, members }) => api.createGroup({ name, members }),
  add: ({ group, members }) => api.addUserToGroup(members, group),
  remove: ({ group, members }) => api.removeUserFromGroup(members, group),
  promote: ({ group, members }) => api.addGroupDeputy(members, group),
  demote: ({ group, members }) => api.removeGroupDeputy(members, group),
  rename: ({ group, name }) => api.changeGroupName(name, group),
  picture: async ({ group, path: file }) =>
    api.changeGroupAvatar({ data: await readFile(file), filename: 'a.jpg', metadata: { width: 64, height: 64 } }, group),
  leave: ({ group }) => api.leaveGroup(group),
  groups: async () => Object.keys((await api.getAllGroups()).gridVerMap),
  group: async ({ group }) => (await api.getGroupInfo(group)).gridInfoMap[group],
  pending: ({ group }) => api.getPendingGroupMembers(group),
  review: ({ group, members, approve }) => api.reviewPendingMemberRequest({ members, isApprove: approve }, group),
  friends: async () => (await api.getAllFriends()).map(({ userId }) => userId),
  befriend: ({ user, text }) => api.sendFriendRequest(text, user),
  accept: ({ user }) => api.acceptFriendRequest(user),
  block: ({ user }) => api.blockUser(user),
  unblock: ({ user }) => api.unblockUser(user),
  mute: ({ to, ...order }) => api.setMute({}, to, typeOf(order)),
  pin: ({ to, ...order }) => api.setPinnedConversations(true, to, typeOf(order)),
  user: async ({ user }) => (await api.getUserInfo(user)).changed_profiles,
  download: async ({ id }) => {
    const { href, params } = found(id).content
    const data = Buffer.from(await (await fetch(href || JSON.parse(params).hd)).arrayBuffer())
    return { sha256: createHash('sha256').update(data).digest('hex'), size: data.length }
  },
  disconnect: async () => listener.stop(),
  connect: async () => listener.start(),
}

listen()
for await (const line of readline.createInterface({ input: process.stdin })) {
  const order = JSON.parse(line)
  Promise.resolve().then(() => orders[order.do](order)).then(
    (result) => tell({ n: order.n, result: result ?? null }),
    (error) => tell({ n: order.n, error: String(error?.stack ?? error), code: error?.code }))
}
process.exit(0)
