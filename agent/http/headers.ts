const pageSecurityPolicy = policy({
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self' data:",
  'font-src': "'self'",
  'connect-src': "'self'",
  'worker-src': "'self'",
  'require-trusted-types-for': "'script'",
});

/** Speedscope makes style elements and decodes source maps in WebAssembly; it has no Trusted Types. */
const speedscopeSecurityPolicy = policy({
  'default-src': "'none'",
  'script-src': "'self' 'wasm-unsafe-eval'",
  'style-src': "'self' 'unsafe-inline'",
  'img-src': "'self' data: blob:",
  'font-src': "'self'",
  'connect-src': "'self'",
});

const apiSecurityPolicy = policy({ 'default-src': "'none'" });

export const securityPolicies = {
  api: apiSecurityPolicy,
  page: pageSecurityPolicy,
  speedscope: speedscopeSecurityPolicy,
  /** The documentation page: no script at all, one inline style whose hash is named. */
  docs: (styleSha256: string) => policy({ 'default-src': "'none'", 'style-src': `'sha256-${styleSha256}'` }),
};

/** On every answer. What a route set itself stays. There are no CORS headers: no other origin may read anything. */
export function setSecurityHeaders(headers: Headers): void {
  for (const [name, value] of defaults) if (!headers.has(name)) headers.set(name, value);
}

const defaults = [
  ['content-security-policy', apiSecurityPolicy],
  ['cache-control', 'no-store'],
  ['x-content-type-options', 'nosniff'],
  ['referrer-policy', 'no-referrer'],
  ['x-frame-options', 'DENY'],
  ['cross-origin-opener-policy', 'same-origin'],
  ['cross-origin-resource-policy', 'same-origin'],
  ['permissions-policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()'],
] as const;

function policy(directives: Record<string, string>): string {
  return Object.entries({
    ...directives,
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
  })
    .map(([name, value]) => `${name} ${value}`)
    .join('; ');
}
