/** Ctrl-C is a way to end a command, not a fault of it: exit code 1 then. */
export async function interruptible(signal: AbortSignal, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (signal.aborted) return 1;
    throw error;
  }
}
