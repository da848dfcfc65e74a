/** Terminals are at least this wide, and people read no wider. */
const columns = 100;

/** Lines of at most 100 columns, each after `indent` spaces; a word that is longer stands alone. */
export function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(' '.repeat(indent) + word);
  }
  return lines;
}
