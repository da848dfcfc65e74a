interface Wrapper {
  readonly name: string;
  readonly script: RegExp;
}

/**
 * Programs that start the application in a child process and, with `NODE_OPTIONS=--inspect`, take the inspector's port themselves.
 * PM2's `ProcessContainer*.js` is not among them: there the application runs in that very process.
 */
const wrappers: readonly Wrapper[] = [
  { name: 'npm', script: /\/npm\/bin\/(?:npm|npx)-cli\.js$|\/bin\/(?:npm|npx)$/ },
  {
    name: 'yarn',
    script:
      /\/yarn(?:pkg)?(?:\/bin\/yarn(?:pkg)?|\/bin\/yarn)?\.js$|\/bin\/yarn(?:pkg)?$|\/\.yarn\/releases\/yarn-[^/]+\.c?js$/,
  },
  { name: 'pnpm', script: /\/pnpm\/bin\/pnp[mx]\.[cm]?js$|\/dist\/pnpm\.[cm]?js$|\/bin\/pnp[mx](?:\.[cm]?js)?$/ },
  { name: 'corepack', script: /\/corepack\/dist\/[^/]+\.js$/ },
  { name: 'nodemon', script: /\/nodemon\/bin\/nodemon\.js$|\/bin\/nodemon$/ },
  {
    name: 'pm2',
    script: /\/pm2\/(?:lib\/(?:Daemon|binaries\/[^/]+)\.js|bin\/pm2(?:-[a-z]+)?)$|\/bin\/pm2(?:-[a-z]+)?$/,
  },
  { name: 'tsx', script: /\/tsx\/dist\/cli\.[cm]?js$|\/bin\/tsx$/ },
];

/** The wrapper's name when the script of `/json/list` is one, else undefined. */
export function wrapperOf(scriptUrl: string): string | undefined {
  const path = scriptUrl.replaceAll('\\', '/').replace(/[?#].*$/, '');
  return wrappers.find(({ script }) => script.test(path))?.name;
}

/** The same for a process: npm and the like also name themselves by their title, which replaces the command line. */
export function wrapperName({
  argv,
  name,
}: {
  readonly argv: readonly string[];
  readonly name: string;
}): string | undefined {
  const titled = /^(npm|npx|yarn|pnpm|nodemon|PM2 v\S+: God Daemon)\b/.exec(argv[0] ?? name)?.[1];
  if (titled !== undefined) return titled.startsWith('PM2') ? 'pm2' : titled;
  return argv
    .slice(1, 12)
    .map(wrapperOf)
    .find((found) => found !== undefined);
}

export function wrapperAdvice(name: string, address: string): string {
  return (
    `the inspector at ${address} belongs to ${name}, not to the application that ${name} starts. ` +
    `Start the application with \`node --inspect=127.0.0.1:9229 app.js\` itself, or give every process a port of its own with ` +
    `NODE_OPTIONS=--inspect=127.0.0.1:0 and name the application's with --target host:port`
  );
}
