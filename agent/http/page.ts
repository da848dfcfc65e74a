import { readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { SidescopeError } from '../../protocol/error.ts';
import { securityPolicies } from './headers.ts';
import { acceptsGzip, isNoneMatch } from './range.ts';
import type { Handlers, RouteRequest } from './router.ts';
import type { AdminServices } from './services.ts';

type PageRequest = RouteRequest<'page' | 'pageFile'>;

/** The dashboard's files. Paths without an extension are the page's own and get its document. */
export function pageHandlers({ pageDirectory }: AdminServices): Pick<Handlers, 'page' | 'pageFile'> {
  const serve = async (request: PageRequest) => {
    const path = request.path.replace(/^\/ui\/?/, '') || 'index.html';
    const gzip = acceptsGzip(request.headers.get('accept-encoding'));
    const file = await readPageFile(pageDirectory, { path, gzip });
    if (file !== undefined) return fileAnswer(request, file);
    if (extname(path) !== '' && path !== 'index.html')
      throw new SidescopeError('not-found', `the page has no file ${path.slice(0, 200)}`);
    const document = await readPageFile(pageDirectory, { path: 'index.html', gzip });
    if (document === undefined)
      throw new SidescopeError('page-not-built', 'the page is not there: run `npm run build`');
    return fileAnswer(request, document);
  };
  return { page: serve, pageFile: serve };
}

interface PageFile {
  readonly path: string;
  readonly bytes: Buffer;
  readonly etag: string;
  readonly isGzip: boolean;
}

interface PagePath {
  readonly path: string;
  /** The build's gzip member instead, where there is one. */
  readonly gzip: boolean;
}

/** Segments of plain characters only: there is nothing to climb out with, and nothing hidden is served. */
async function readPageFile(directory: string, { path, gzip }: PagePath): Promise<PageFile | undefined> {
  if (path.length > 300 || !path.split('/').every((segment) => /^[\w-][\w.-]*$/.test(segment))) return undefined;
  const file = join(directory, path);
  const packed = gzip ? await readIfThere(`${file}.gz`) : undefined;
  const found = packed ?? (await readIfThere(file));
  if (found === undefined) return undefined;
  const isGzip = packed !== undefined;
  return { path, bytes: found.bytes, etag: `"${found.tag}${isGzip ? '-gzip' : ''}"`, isGzip };
}

async function readIfThere(file: string): Promise<{ bytes: Buffer; tag: string } | undefined> {
  try {
    const { mtimeMs, size } = await stat(file);
    return { bytes: await readFile(file), tag: `${mtimeMs.toString(36)}-${size.toString(36)}` };
  } catch (error) {
    if (error instanceof Error && 'code' in error && absent.has(String(error.code))) return undefined;
    throw error;
  }
}

const absent = new Set(['ENOENT', 'ENOTDIR', 'EISDIR']);

function fileAnswer(request: PageRequest, { path, bytes, etag, isGzip }: PageFile): Response {
  const isSpeedscope = path.startsWith('speedscope/');
  const headers = {
    'cache-control': isHashed(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
    'content-security-policy': isSpeedscope ? securityPolicies.speedscope : securityPolicies.page,
    'content-type': mediaTypes[extname(path)] ?? 'application/octet-stream',
    etag,
    vary: 'Accept-Encoding',
    ...(isGzip ? { 'content-encoding': 'gzip' } : {}),
  };
  if (!isNoneMatch(request.headers.get('if-none-match'), etag)) return new Response(null, { status: 304, headers });
  return new Response(new Uint8Array(bytes), { headers: { ...headers, 'content-length': String(bytes.byteLength) } });
}

/** Vite puts what it hashes under `assets/`; speedscope's build ends its names in eight capitals. */
function isHashed(path: string): boolean {
  return path.startsWith('assets/') || /-[A-Z0-9]{8}\.\w+$/.test(path);
}

const mediaTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
  '.md': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
};
