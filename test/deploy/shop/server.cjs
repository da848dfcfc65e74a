// The application of the pod test: answers, works, keeps memory and ends on request. Ends gracefully at SIGTERM.
'use strict';

const { createServer } = require('node:http');

const kept = [];

function spin(milliseconds) {
  const endAt = Date.now() + milliseconds;
  while (Date.now() < endAt) fibonacci(18);
}

/** Calls itself: what V8 inlined before a profile began has no name in it, and it cannot inline all of this. */
function fibonacci(n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

function keep(megabytes) {
  // Objects, not buffers: they are what a snapshot has to copy.
  for (let count = 0; count < megabytes * 10_000; count++) kept.push({ count, name: `order-${count}`, lines: [count] });
  return kept.length;
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  const amount = Number(searchParams.get('amount'));
  if (pathname === '/work') spin(amount);
  if (pathname === '/keep') keep(amount);
  response.setHeader('connection', 'close');
  response.end(`${process.pid} ${process.version}\n`);
  if (pathname === '/exit') response.once('close', () => process.exit(0));
});

server.listen(Number(process.env.PORT ?? 3000), () => console.log('ready'));
setInterval(spin, 50, 5);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
