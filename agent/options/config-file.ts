import { open } from 'node:fs/promises';
import { SourceReader, quote } from './sources.ts';
import type { OptionTable, SourceReading } from './sources.ts';

const maxFileBytes = 64 * 1024;

/**
 * Reads a YAML or JSON file whose keys are option names. Never rejects: what is wrong is in `problems`, with its line.
 * The parser is loaded only when a file is named.
 */
export async function readConfigFile({
  path,
  table,
  readFile,
}: {
  path: string;
  table: OptionTable;
  readFile: (path: string) => Promise<string>;
}): Promise<SourceReading> {
  const reader = new SourceReader(table, 'file');
  let text: string;
  try {
    text = await readFile(path);
  } catch (error) {
    reader.refuse(`cannot read ${quote(path)}: ${error instanceof Error ? error.message : String(error)}`, 'config');
    return reader;
  }
  const { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number | undefined): string => `${path} line ${lines.linePos(offset ?? 0).line}`;
  for (const error of document.errors) reader.refuse(`${at(error.pos[0])}: ${error.message}`, 'config');
  if (document.errors.length > 0 || document.contents === null) return reader;
  if (!isMap(document.contents)) {
    reader.refuse(`${at(document.contents.range?.[0])}: must be a list of \`option: value\``, 'config');
    return reader;
  }

  for (const { key, value } of document.contents.items) {
    const name = isScalar(key) ? String(key.value) : '';
    const where = at(isScalar(key) ? key.range?.[0] : undefined);
    // No options: rules/read-rules.ts and egress/read-egress.ts have them.
    if (name === 'rules' || name === 'egress') continue;
    if (reader.row(name) === undefined) {
      reader.refuse(`${where}: unknown option ${quote(name)}${reader.suggestion(name, (nearest) => nearest)}`);
      continue;
    }
    for (const item of isSeq(value) ? value.items : [value]) {
      // Empty like an empty variable: not set.
      if (item === null || (isScalar(item) && item.value === null)) continue;
      if (!isScalar(item) || isAlias(item)) reader.refuse(`${where}: ${name} must be a plain value`, name);
      else
        reader.add(name, {
          text: typeof item.value === 'string' ? item.value : (item.source ?? ''),
          where: `${where}: ${name}`,
        });
    }
  }
  return reader;
}

/** The text of a small file. Rejects above 64 KiB, so that a wrong path (a device, a core dump) does no harm. */
export async function readSmallFile(path: string): Promise<string> {
  await using file = await open(path, 'r');
  const buffer = new Uint8Array(maxFileBytes + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
    if (bytesRead === 0) return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length));
    length += bytesRead;
  }
  throw new RangeError(`the file is over ${maxFileBytes} bytes`);
}
