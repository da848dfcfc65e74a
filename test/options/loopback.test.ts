import { expect, test } from 'vitest';
import { isLoopbackAddress, isLoopbackHost } from '../../agent/loopback.ts';

test.each(['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1'])('%s is loopback', (address) => {
  expect([isLoopbackAddress(address), isLoopbackHost(address)]).toEqual([true, true]);
});

test.each(['127.0.0.1.example.com', '127.example', '10.0.0.1', '::', '0.0.0.0', '::ffff:10.0.0.1', '::2', ''])(
  '%j is not',
  (host) => {
    expect([isLoopbackAddress(host), isLoopbackHost(host)]).toEqual([false, false]);
  },
);

test('localhost is a name for it, and no address', () => {
  expect([isLoopbackAddress('localhost'), isLoopbackHost('localhost')]).toEqual([false, true]);
});
