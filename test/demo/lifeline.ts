import { isMainThread } from 'node:worker_threads';

// Preloaded (`--import`) into every process of the demo, the agent included: when the launcher is gone, also after a
// SIGKILL, the IPC channel closes and the process ends as if it had been told to; after 3 s, by force.
if (isMainThread && process.channel !== undefined) {
  process.on('disconnect', () => {
    process.kill(process.pid, 'SIGTERM');
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 3_000).unref();
  });
  process.channel.unref();
}
