// Does not leak: an LRU cache of 200 entries, always renewed.
import { every, numbers } from './steps.mjs';

const cache = new Map();

function lookUp(id) {
  cache.set(id, numbers(4_000));
  if (cache.size > 200) cache.delete(cache.keys().next().value);
}

every(lookUp);
