// Has globals of the names that the command-line API of the inspector uses; prints `called` when one is called.
require('./lifeline.cjs');
globalThis.profile = () => console.log('called');
globalThis.profileEnd = () => console.log('called');
setInterval(() => undefined, 1000);
console.log('ready');
