// Leaks: each handler holds the one before through its scope.
import { every } from './steps.mjs';

let previous = () => 0;

function wrapHandler() {
  const inner = previous;
  const context = new Array(6_000).fill(0);
  previous = () => inner.length + context.length;
}

every(wrapHandler);
