export const spanKinds = [
  'server',
  'middleware',
  'handler',
  'database',
  'http-client',
  'messaging',
  'rpc',
  'internal',
] as const;
export type SpanKind = (typeof spanKinds)[number];

export interface Classified {
  readonly kind: SpanKind;
  /** What the same work has in common: a statement without literals, a middleware's name, a method with host. Not bounded in number. */
  readonly operation: string;
  /** Frames other spans and does nothing itself: its children belong to its parent. */
  readonly isWrapper: boolean;
}
