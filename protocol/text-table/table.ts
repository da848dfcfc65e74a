const COLUMN_MAX = 90;
const LINE_MAX = 160;

/**
 * Rows as lines of at most 160 characters: a head, then one line each; columns in the order of `cells`, numbers to the
 * right. Control characters and line ends in a cell become spaces.
 */
export function textTable<Row>(rows: readonly Row[], cells: Readonly<Record<string, (row: Row) => string>>): string[] {
  const names = Object.keys(cells);
  const body = rows.map((row) => names.map((name) => clip(cells[name]!(row), COLUMN_MAX)));
  const columns = names.map((name, column) => ({
    width: Math.max(name.length, ...body.map((row) => row[column]!.length)),
    isNumeric: body.length > 0 && body.every((row) => numeric.test(row[column]!)),
  }));
  return [names, ...body].map((row) => {
    const padded = columns.map(({ width, isNumeric }, column) =>
      isNumeric ? row[column]!.padStart(width) : row[column]!.padEnd(width),
    );
    return clip(`  ${padded.join('  ')}`.trimEnd(), LINE_MAX);
  });
}

const numeric = /^(?:|-|[+-]?\d[\d.]*(?: ?(?:B|kB|MB|GB|ms|s|%))?)$/;

export function clip(text: string, length: number): string {
  const plain = text.replace(/[\p{Cc}\u2028\u2029]/gu, ' ');
  return plain.length <= length ? plain : `${plain.slice(0, length - 1)}…`;
}

/** `12.3 MB`: decimal, three digits or four. */
export function sizeText(bytes: number): string {
  const absolute = Math.abs(bytes);
  if (absolute < 1_000) return `${Math.round(bytes)} B`;
  if (absolute < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return absolute < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** `12.3 %`, with a sign where wanted. */
export function shareText(share: number, { signed = false } = {}): string {
  const percent = (share * 100).toFixed(1);
  return `${signed && share > 0 ? '+' : ''}${percent} %`;
}

/** With a line end behind each. */
export function joinLines(parts: readonly string[]): string {
  return `${parts.map((part) => part.trimEnd()).join('\n')}\n`;
}
