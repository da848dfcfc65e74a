// Keeps sessions in a Map; keeps 2,000 more, or blocks its loop, when it is told to.
class Session {
  constructor(id) {
    this.id = id;
    this.token = `token of session ${id}`;
  }
}
const sessions = new Map();
globalThis.sessions = sessions;

function keepMore() {
  for (let count = 0; count < 2_000; count++) sessions.set(sessions.size, new Session(sessions.size));
  console.log(`held ${sessions.size}`);
}

function renderReport(durationMs) {
  const end = Date.now() + durationMs;
  while (Date.now() < end);
  console.log('rendered');
}

process.on('message', (message) => (message === 'more' ? keepMore() : renderReport(message)));
keepMore();
console.log('ready');
