import type { Frame } from './model.ts';

export type FrameCategory = 'app' | 'package' | 'node' | 'native' | 'gc' | 'idle' | 'program';

/** Whose code it is. `native`: builtins of V8 and Node without a script, and WebAssembly. `program`: V8 saw no JavaScript. */
export function categorizeFrame({ functionName, url, scriptId }: Frame): FrameCategory {
  if (url === '') return pseudoFrames[functionName] ?? (scriptId === '0' ? 'native' : 'app');
  if (url.startsWith('node:')) return 'node';
  if (url.startsWith('wasm:')) return 'native';
  return url.includes('/node_modules/') || url.includes('\\node_modules\\') ? 'package' : 'app';
}

const pseudoFrames: Readonly<Record<string, FrameCategory>> = {
  '(root)': 'program',
  '(program)': 'program',
  '(idle)': 'idle',
  // Between two joined windows: whatever ran then, it is no function's time.
  '(not recorded)': 'idle',
  '(garbage collector)': 'gc',
};

/** For lists: `fib app.js:12`, `(anonymous) app.js:3`, `writeBuffer`. */
export function shortFrameText(frame: Frame): string {
  const file = filePathOf(frame.url);
  return frameText(frame, file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1));
}

/** With the whole path: `fib /srv/app.js:12`. */
export function longFrameText(frame: Frame): string {
  return frameText(frame, filePathOf(frame.url));
}

export function functionNameOf({ functionName }: Frame): string {
  return functionName === '' ? '(anonymous)' : functionName;
}

/** `file:///srv/a%20b.js` -> `/srv/a b.js`; other URLs as they are. */
export function filePathOf(url: string): string {
  if (!url.startsWith('file://')) return url;
  try {
    return decodeURIComponent(url.slice('file://'.length));
  } catch {
    // A file name with a bare percent sign: only a program that makes URLs by hand has one, and it is readable as it is.
    return url.slice('file://'.length);
  }
}

function frameText(frame: Frame, file: string): string {
  if (file === '') return functionNameOf(frame);
  return `${functionNameOf(frame)} ${file}${frame.line > 0 ? `:${frame.line}` : ''}`;
}
