// Leaks: each request starts a timer that is never cleared.
import { every } from './steps.mjs';

function startPolling() {
  const pending = new Array(6_000).fill(0);
  setInterval(() => pending.length, 3_600_000);
}

every(startPolling);
