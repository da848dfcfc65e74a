/** What `OTEL_TRACES_SAMPLER` and its argument make an SDK do. */
export interface SamplerSetting {
  readonly name: string;
  /** From 0 to 1; null for samplers that tell it nowhere, such as `xray`. */
  readonly keptShare: number | null;
  /** Only of the traces that begin in the process; others are kept or not as their sender decided. */
  readonly isOfOwnTraces: boolean;
}

/**
 * Undefined where nothing is set, and where what is set says nothing of the share: `parentbased_always_on` is the default. An argument that is no number
 * from 0 to 1 counts as 1, as the SDK has it.
 */
export function parseSampler(name: string | undefined, argument: string | undefined): SamplerSetting | undefined {
  switch (name) {
    case undefined:
    case '':
    case 'always_on':
    case 'parentbased_always_on':
      return undefined;
    case 'always_off':
    case 'parentbased_always_off':
      return { name, keptShare: 0, isOfOwnTraces: name !== 'always_off' };
    case 'traceidratio':
    case 'parentbased_traceidratio': {
      const keptShare = parseRatio(argument);
      return keptShare === 1 ? undefined : { name, keptShare, isOfOwnTraces: name !== 'traceidratio' };
    }
    default:
      return { name, keptShare: null, isOfOwnTraces: false };
  }
}

function parseRatio(argument: string | undefined): number {
  const ratio = argument === undefined || argument.trim() === '' ? Number.NaN : Number(argument);
  return ratio >= 0 && ratio <= 1 ? ratio : 1;
}
