// A webhook receiver on Node's own https: argv: certificate and key. Prints the port, then each request, a JSON line each.
const fs = require('node:fs');
const https = require('node:https');
const [cert, key] = process.argv.slice(2).map((path) => fs.readFileSync(path));
const say = (line) => console.log(JSON.stringify(line));
let connections = 0;
const server = https.createServer({cert, key}, async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  say({
    method: request.method,
    url: request.url,
    headers: request.rawHeaders,
    body: Buffer.concat(pieces).toString('base64'),
    connection: request.socket.number,
  });
  response.end('{"ok": true}');
});
server.on('secureConnection', (socket) => { socket.number = ++connections; });
server.listen(0, '127.0.0.1', () => say({port: server.address().port}));
