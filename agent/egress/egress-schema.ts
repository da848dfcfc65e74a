import { z } from 'zod';
import { valueTypes } from '../options/value-types.ts';
import { parseS3Url } from './s3/location.ts';
import { keyProblem, unknownPlace } from './template.ts';

export const maxDestinations = 8;

const file = z.string().min(1).max(1_000);
/** The name of an environment variable, never what is in it. */
const variable = z.string().regex(/^[A-Za-z_]\w{0,127}$/, 'must be the name of an environment variable');
const key = z.string().superRefine((template, context) => complain(keyProblem(template), context));

const size = z.union([z.string(), z.number()]).transform((value, context) => {
  const parsed = valueTypes.size.parse(String(value), { min: '1MiB', max: '1TiB' });
  if ('value' in parsed) return parsed.value;
  context.addIssue({ code: 'custom', message: parsed.problem });
  return z.NEVER;
});

/** Credentials in an address end in logs and on the page. */
const httpUrl = z.string().transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.hash === '') return url;
  context.addIssue({ code: 'custom', message: 'must be an http or https address without credentials' });
  return z.NEVER;
});

const s3Url = z.string().superRefine((text, context) => complain(problemOf(parseS3Url(text)), context));

const labels = z.record(z.string().regex(/^[a-zA-Z_]\w{0,63}$/, 'must be a label name'), z.string().max(200));

const common = {
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be lower-case letters, digits and dashes'),
  queue: size.optional(),
};

function filters<const Kinds extends readonly [string, ...string[]]>(kinds: Kinds) {
  return z
    .object({
      kinds: z.array(z.enum(kinds)).min(1).optional(),
      triggers: z
        .array(z.enum(['api', 'rule', 'alert']))
        .min(1)
        .optional(),
      labels: z.record(z.string().max(64), z.string().max(256)).optional(),
    })
    .strict()
    .optional();
}

const ofArtifacts = { ...common, filters: filters(['cpu', 'heap-snapshot', 'heap-sampling']) };

const shapes = {
  s3: z
    .object({
      ...ofArtifacts,
      kind: z.literal('s3'),
      url: s3Url,
      key: key.optional(),
      format: z.enum(['native', 'pprof']).optional(),
      redact: z.boolean().optional(),
      sse: z.enum(['AES256', 'aws:kms']).optional(),
      'sse-kms-key': z.string().max(500).optional(),
      'access-key-file': file.optional(),
      'secret-key-file': file.optional(),
      'access-key-env': variable.optional(),
      'secret-key-env': variable.optional(),
      'ca-file': file.optional(),
    })
    .strict()
    .superRefine((one, context) => {
      for (const [a, b] of [
        ['access-key-file', 'secret-key-file'],
        ['access-key-env', 'secret-key-env'],
      ] as const)
        if ((one[a] === undefined) !== (one[b] === undefined)) complain(`${a} and ${b} go together`, context);
      if (one['sse-kms-key'] !== undefined && one.sse !== 'aws:kms')
        complain('sse-kms-key needs sse: aws:kms', context);
    }),
  pyroscope: z
    .object({
      ...common,
      filters: filters(['cpu', 'heap-sampling', 'recorder']),
      kind: z.literal('pyroscope'),
      url: httpUrl,
      app: z
        .string()
        .regex(/^[\w.\-/{}]{1,200}$/, 'must be a name, perhaps with {service} and the like')
        .superRefine((template, context) => complain(unknownPlace(template), context))
        .optional(),
      labels: labels.optional(),
      'authorization-file': file.optional(),
      'authorization-env': variable.optional(),
      tenant: z
        .string()
        .regex(/^[\x21-\x7e]{1,150}$/, 'must be printable, without spaces')
        .optional(),
      'ca-file': file.optional(),
    })
    .strict(),
  directory: z
    .object({
      ...ofArtifacts,
      kind: z.literal('directory'),
      path: z.string().regex(/^\//, 'must be an absolute path').max(1_000),
      key: key.optional(),
      redact: z.boolean().optional(),
    })
    .strict(),
  webhook: z
    .object({ ...ofArtifacts, kind: z.literal('webhook'), url: httpUrl, 'secret-file': file.optional() })
    .strict(),
} as const;

const kinds = Object.keys(shapes).join(', ');

export const destinationShape = z.discriminatedUnion(
  'kind',
  [shapes.s3, shapes.pyroscope, shapes.directory, shapes.webhook],
  {
    error: () => `must have a kind: one of ${kinds}`,
  },
);
export type DestinationConfig = z.output<typeof destinationShape>;

function problemOf(parsed: object | string): string | undefined {
  return typeof parsed === 'string' ? parsed : undefined;
}

function complain(
  problem: string | undefined,
  context: { addIssue(issue: { code: 'custom'; message: string }): void },
) {
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
}
