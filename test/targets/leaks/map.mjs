// Leaks: sessions are put into a Map and never taken out.
import { every } from './steps.mjs';

const sessions = new Map();

function rememberSession(id) {
  sessions.set(`session-${id}`, { id, seen: new Array(6_000).fill(0) });
}

every(rememberSession);
