/** Of what reads stored profiles to answer. */
export const readingErrors = [
  'damaged-profile',
  'unreadable-profile',
  'analysis-limit',
  'too-many-analyses',
  'data-directory-unusable',
  'storage-failed',
] as const;
