/** Longer statements are cut: what is told apart by more than this is told apart by hand. */
const maxOutputChars = 1_000;
const maxInputChars = 8_000;

/**
 * The statement without what changes from call to call, so that one query is one row: numbers, strings, lists of `IN` and `VALUES`, keys of Redis. Good
 * for grouping and reading, not for running; never longer than about 1000 characters. Linear in its input.
 */
export function normaliseStatement(statement: string, system: string): string {
  const isCommand = keyValueStores.has(system);
  // Most texts have placeholders and come again and again; those that have not must not fill the memory.
  const known = isCommand ? knownCommands : knownQueries;
  const before = known.get(statement);
  if (before !== undefined) return before;
  const text = statement.slice(0, maxInputChars);
  const normal = isCommand ? normaliseCommand(text) : normaliseQuery(text, system);
  const bounded = normal.length > maxOutputChars ? `${normal.slice(0, maxOutputChars)}…` : normal;
  if (statement.length <= maxKnownChars) {
    if (known.size >= maxKnown) known.clear();
    known.set(statement, bounded);
  }
  return bounded;
}

const maxKnown = 500;
const maxKnownChars = 2_000;
const knownQueries = new Map<string, string>();
const knownCommands = new Map<string, string>();

const keyValueStores: ReadonlySet<string> = new Set(['redis', 'valkey', 'memcached', 'keydb', 'dragonfly']);

// One pass, alternatives that begin with different characters and take the rest when their end is missing: linear. Comments vanish (they often hold a trace id); a quoted name ("user",
// `user`, [user]) stays; $1, :name, @name and ? are what we make of literals, and stay too.
const tokens = new RegExp(
  [
    String.raw`--[^\n]*`,
    String.raw`\/\*(?:[^*]|\*(?!\/))*(?:\*\/)?`,
    String.raw`'(?:[^'\\]|''|\\[\s\S])*'?`,
    String.raw`\$([A-Za-z_]*)\$[\s\S]*?(?:\$\1\$|$)`,
    String.raw`"(?:[^"\\]|\\[\s\S])*"?`,
    '`[^`]*`?',
    String.raw`[$:@][A-Za-z0-9_]+`,
    String.raw`[A-Za-z_][A-Za-z0-9_$]*`,
    String.raw`0x[0-9a-fA-F]+`,
    String.raw`\d+(?:\.\d+)?(?:[eE][+-]?\d+)?`,
    String.raw`\s+`,
  ].join('|'),
  'g',
);

function normaliseQuery(text: string, system: string): string {
  const isQuoted = system === 'mysql' || system === 'mariadb';
  // A document of MongoDB or Elasticsearch: there strings in double quotes are values as well as keys.
  const isDocument = /^\s*[[{]/.test(text);
  const replaced = text.replace(tokens, (token) => {
    const first = token.charCodeAt(0);
    if (isSpace(first)) return ' ';
    if (token.startsWith('--') || token.startsWith('/*')) return ' ';
    if (first === 0x27 || (token.startsWith('$') && token.endsWith('$') && token.length > 1)) return '?';
    if (first === 0x22 && isQuoted) return '?';
    if (first >= 0x30 && first <= 0x39) return '?';
    return token;
  });
  const documentValues = isDocument ? replaced.replaceAll(/:\s*"(?:[^"\\]|\\[\s\S])*"/g, ': ?') : replaced;
  return shortenLists(documentValues.replaceAll(/ {2,}/g, ' ').trim());
}

/** `IN (?, ?, ?)` and `VALUES (?, ?), (?, ?)` have as many as the call had; `$1, $2` count as the same. */
function shortenLists(text: string): string {
  return text
    .replaceAll(/\(\s*(?:\?|\$\d+)(?:\s*,\s*(?:\?|\$\d+))+\s*\)/g, '(…)')
    .replaceAll(/\[\s*(?:\?|\$\d+)(?:\s*,\s*(?:\?|\$\d+))+\s*\]/g, '[…]')
    .replaceAll(/\b(in\s*)\((?:\?|\$\d+)\)/gi, '$1(…)')
    .replaceAll(/(\((?:…|\?|\$\d+)\))(?:\s*,\s*\((?:…|\?|\$\d+)\))+/g, '$1, …');
}

/** `get products:5` -> `get products:*`: the words of a key stay, what looks like an id goes, and of further arguments only that there are some. */
function normaliseCommand(text: string): string {
  const [command = '', key, ...rest] = text.trim().split(/\s+/, 4);
  if (key === undefined) return command;
  return [command, normaliseKey(key), ...(rest.length > 0 ? ['…'] : [])].join(' ');
}

function normaliseKey(key: string): string {
  if (key === '?' || key.startsWith('[')) return '?';
  const parts = key.split(/([:/.|{}-])/);
  const kept = parts.map((part, index) => (index % 2 === 1 || isWord(part) ? part : '*'));
  return kept.join('').replaceAll(/\*(?:-\*)+/g, '*');
}

/** As a person writes a name: letters, at most one digit at the end; no hexadecimal number. */
function isWord(part: string): boolean {
  return part === '' || (/^[A-Za-z_]{2,24}\d?$/.test(part) && !/^[0-9a-f]{8,}$/i.test(part));
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}
