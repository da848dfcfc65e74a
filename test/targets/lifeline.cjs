// Loaded by every target: it ends with the test process that started it (the IPC channel closes), also after a SIGKILL
// of that one, and the channel never keeps it alive by itself.
process.on('disconnect', () => process.exit(0));
process.channel?.unref();
