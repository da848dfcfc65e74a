// Leaks: an audit list that nobody reads.
import { every } from './steps.mjs';

const audit = [];

function appendAudit(id) {
  audit.push({ id, values: new Array(6_000).fill(0) });
}

every(appendAudit);
