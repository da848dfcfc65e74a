interface Count {
  hits: number;
  tries: number;
}

interface Pair {
  readonly distanceUs: number;
  readonly isSame: boolean;
}

/** Mean times for which one request stays on the CPU: from half a millisecond, each 1.5 times the one before, to 5 s. */
const staysUs = Array.from({ length: 24 }, (_, index) => 500 * 1.5 ** index);
/** Natural logarithm: of those that are that much less likely than the best, the shortest is taken. About one standard deviation and a half. */
const likelihoodMargin = 1.2;

/**
 * How sure an attribution is, measured on the readings themselves: each rule is tried on readings that it does not see.
 *
 * - `sure`, `alone`, `outside`: the share that the rule gets right; few tries count together with a guess made before.
 * - `near`, `between`: of pairs of readings in one stretch of work, how often both name the same request falls with their distance. An exponential curve is fitted to it,
 *   down to what chance would give, and its steep side is taken, so that few pairs promise little.
 */
export class Confidence {
  readonly #sure: Count = { hits: 0, tries: 0 };
  readonly #alone: Count = { hits: 0, tries: 0 };
  readonly #outside: Count = { hits: 0, tries: 0 };
  readonly #pairs: Pair[] = [];
  readonly #chance: number;
  #stayUs: number | undefined;

  /** `chance`: that two readings of any times name the same request. */
  constructor(chance: number) {
    this.#chance = Math.min(0.9, chance);
  }

  /** Two readings in one stretch of work, with others open meanwhile: did both say the same? */
  tryNear(distanceUs: number, isSame: boolean): void {
    this.#pairs.push({ distanceUs, isSame });
  }

  /** Two readings, and between them no other request was open. */
  trySure(isHit: boolean): void {
    add(this.#sure, isHit);
  }

  /** A reading while one request was open: was it that one? */
  tryAlone(isHit: boolean): void {
    add(this.#alone, isHit);
  }

  /** A reading while none was open: did it find no span? */
  tryOutside(isHit: boolean): void {
    add(this.#outside, isHit);
  }

  get sure(): number {
    return rate(this.#sure, { share: 0.98, weight: 20 });
  }

  get alone(): number {
    return rate(this.#alone, { share: 0.85, weight: 10 });
  }

  get outside(): number {
    return rate(this.#outside, { share: 0.85, weight: 10 });
  }

  /** In one stretch with a reading. */
  near(distanceUs: number): number {
    return this.#sameAt(distanceUs, (this.#stayUs ??= this.#fit()));
  }

  /** In one stretch with two readings that agree, one before and one after. */
  between(beforeUs: number, afterUs: number): number {
    return Math.min(1, (this.near(beforeUs) * this.near(afterUs)) / this.near(beforeUs + afterUs));
  }

  #sameAt(distanceUs: number, stayUs: number): number {
    return this.#chance + (1 - this.#chance) * Math.exp(-distanceUs / stayUs);
  }

  #fit(): number {
    const likelihoods = staysUs.map((stayUs) =>
      this.#pairs.reduce((sum, { distanceUs, isSame }) => {
        const same = this.#sameAt(distanceUs, stayUs);
        return sum + Math.log(Math.max(1e-6, isSame ? same : 1 - same));
      }, 0),
    );
    const best = Math.max(...likelihoods);
    return staysUs[likelihoods.findIndex((each) => each >= best - likelihoodMargin)]!;
  }
}

function add(to: Count, isHit: boolean): void {
  to.tries += 1;
  if (isHit) to.hits += 1;
}

function rate({ hits, tries }: Count, guess: { share: number; weight: number }): number {
  return (hits + guess.share * guess.weight) / (tries + guess.weight);
}
