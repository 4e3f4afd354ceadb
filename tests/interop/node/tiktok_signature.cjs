// TikTok's side of a webhook, by Node's own crypto: `secret body(base64) t` -> the header, parts in both orders.
const { createHmac } = require('node:crypto');

const [secret, body, at] = process.argv.slice(2);
const digest = createHmac('sha256', secret).update(`${at}.`).update(Buffer.from(body, 'base64')).digest('hex');
console.log(JSON.stringify({ sent: `t=${at},s=${digest}`, reordered: `s=${digest},t=${at}` }));
