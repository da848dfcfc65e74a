import { once } from 'node:events';
import { createServer } from 'node:net';
import { randomInt } from 'node:crypto';

/** Below the ports that Linux gives to connections and to who asks for any: between two listeners nobody else comes by it. */
const chosenFrom = { min: 10_000, max: 32_000 };
const attemptsMax = 50;

/** A port of 127.0.0.1 that nobody had a moment ago: for who must know it before anybody listens, or listens there once more. */
export async function freePort(): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = randomInt(chosenFrom.min, chosenFrom.max);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      // Taken: the next one.
      if (attempt === attemptsMax) throw error;
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}
