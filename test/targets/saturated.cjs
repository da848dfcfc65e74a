// Works without any idle time in `churn`, 10 ms a turn of the event loop. On {rest}: stops.
require('./lifeline.cjs');

let resting = false;
function churn() {
  const endMs = Date.now() + 10;
  let x = 0;
  while (Date.now() < endMs) x = (x * 31 + 1) | 0;
  if (!resting) setImmediate(churn);
  return x;
}

process.on('message', () => (resting = true));
setInterval(() => {}, 1000);
setImmediate(churn);
console.log('ready');
