// Leaks: jobs that wait for ever hold the asynchronous context of the request that made them.
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { every } from './steps.mjs';

const requests = new AsyncLocalStorage();
const waiting = [];

function handleRequest(id) {
  const request = { id, body: new Array(6_000).fill(0) };
  requests.run(request, () => waiting.push(new AsyncResource('job')));
}

every(handleRequest);
