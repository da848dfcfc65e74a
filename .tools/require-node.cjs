// Runs before every script, on whatever Node the machine has: old syntax only.
var major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    'Sidescope needs Node 24 or newer and found ' +
      process.version +
      '. `npm ci` brings Node 24 as an optional dependency ' +
      'on Linux (x64, arm64); it is missing here, so install Node 24 or run `npm ci` without `--omit=optional`.',
  );
  process.exit(1);
}
