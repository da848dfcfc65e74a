/** CPU time that this process has used, in microseconds. What is measured by it is the same on a busy machine. */
export function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
