// The application of the pod test: answers, works, keeps memory and ends on request. Ends gracefully at SIGTERM.
'use strict';

const { createServer } = require('node:http');

const kept = [];

function spin(milliseconds) {
  const endAt = Date.now() + milliseconds;
  let sum = 0;
  while (Date.now() < endAt) for (let index = 0; index < 10_000; index++) sum += Math.sqrt(index);
  return sum;
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

server.listen(3000, () => console.log('ready'));
// Called by the timer itself: V8 may inline it into a function of ours, and a profile then lacks its name.
setInterval(spin, 50, 5);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
