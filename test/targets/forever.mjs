// Does nothing, for ever.
import './lifeline.cjs';

setInterval(function tick() {}, 1000);
console.log('ready');
