// An HTTP server (prints `listening <port>`) that closes on SIGTERM and lets the process end by itself.
import { createServer } from 'node:http';
import './lifeline.cjs';

const server = createServer((_request, response) => response.end('hello\n'));
process.once('SIGTERM', () => {
  console.log('closing');
  server.close();
});
server.listen(0, '127.0.0.1', () => {
  console.log(`listening ${server.address().port}`);
  console.log('ready');
});
