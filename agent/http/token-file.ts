import { z } from 'zod';
import { scopes } from '../../protocol/rest/route.ts';
import type { Scope } from '../../protocol/rest/route.ts';
import { readRegularFile } from '../regular-file.ts';

/** A credential as it is kept: never the token itself. */
export interface TokenEntry {
  readonly name: string;
  /** SHA-256 of the token's UTF-8 bytes, 32 bytes. */
  readonly digest: Buffer;
  readonly scopes: readonly Scope[];
  readonly expiresAtMs: number;
}

const maxFileBytes = 1024 * 1024;

const tokenFileSchema = z
  .object({
    tokens: z
      .array(
        z
          .object({
            name: z.string().regex(/^[\w.@:/-]{1,100}$/, 'must be 1 to 100 letters, digits or one of . _ @ : / -'),
            sha256: z.string().regex(/^[0-9a-fA-F]{64}$/, 'must be 64 hexadecimal digits'),
            scopes: z.array(z.enum(scopes)).min(1),
            expires: z.iso.datetime({ offset: true }).optional(),
          })
          .strict(),
      )
      .max(1000),
  })
  .strict();

/** Rejects with a sentence that names the file and the first problem, and holds no hash. */
export async function readTokenFile(path: string): Promise<TokenEntry[]> {
  const text = await readRegularFile(path, { maxBytes: maxFileBytes });
  const parsed = tokenFileSchema.safeParse(parseJson(path, text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`${path}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is not a token file'}`);
  }
  return parsed.data.tokens.map((token) => ({
    name: token.name,
    digest: Buffer.from(token.sha256, 'hex'),
    scopes: token.scopes,
    expiresAtMs: token.expires === undefined ? Infinity : Date.parse(token.expires),
  }));
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // V8's message quotes the text, which may hold a token somebody put there by mistake.
    throw new Error(`${path} is not JSON`);
  }
}
