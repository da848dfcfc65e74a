// Leaks: what was handled is remembered in a Set.
import { every } from './steps.mjs';

const handled = new Set();

function markHandled(id) {
  handled.add({ id, body: new Array(6_000).fill(0) });
}

every(markHandled);
