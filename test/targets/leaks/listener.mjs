// Leaks: each request adds a listener to one emitter, and none is removed.
import { EventEmitter } from 'node:events';
import { every } from './steps.mjs';

const bus = new EventEmitter().setMaxListeners(0);

function subscribe() {
  const buffered = new Array(6_000).fill(0);
  bus.on('change', () => buffered.length);
}

every(subscribe);
