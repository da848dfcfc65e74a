// Leaks: promises that never settle, held by who could settle them.
import { every } from './steps.mjs';

const waiting = [];

async function waitForever(resolvers) {
  const body = new Array(6_000).fill(0);
  await new Promise((resolve) => resolvers.push(resolve));
  return body.length;
}

function handleRequest() {
  void waitForever(waiting);
}

every(handleRequest);
