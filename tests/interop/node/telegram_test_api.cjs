// A Bot API server that nobody here wrote (npm telegram-test-api): argv: port. Prints one JSON line when it listens.
const TelegramServer = require('telegram-test-api');
const server = new TelegramServer({port: Number(process.argv[2]), host: '127.0.0.1', storage: 'RAM', storeTimeout: 600});
server.start().then(() => console.log(JSON.stringify({listening: Number(process.argv[2])})));
