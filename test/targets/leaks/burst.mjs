// Does not leak: every few seconds a burst of requests holds much memory for a moment.
import { every, numbers } from './steps.mjs';

let underWay = [];

function serve(id) {
  if (id % 250 < 60) underWay.push(numbers(8_000));
  else if (underWay.length > 0) underWay = [];
}

every(serve);
