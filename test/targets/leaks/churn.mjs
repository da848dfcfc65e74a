// Does not leak: allocates all the time and keeps nothing.
import { every, numbers } from './steps.mjs';

function work() {
  return numbers(12_000).map((value) => ({ value })).length;
}

every(work);
