// On any message: an uncaught exception (exit code 1).
import './lifeline.cjs';

function failForGood() {
  throw new Error('nobody catches this');
}

setInterval(() => {}, 1000);
process.on('message', () => setImmediate(failForGood));
console.log('ready');
