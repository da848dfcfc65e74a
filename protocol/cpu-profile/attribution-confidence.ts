/** How far apart two readings are; each bound is twice the one before. */
const firstBoundUs = 2_000;
const classes = 8;
const enoughPairs = 12;

interface Count {
  hits: number;
  tries: number;
  distanceUs: number;
}

/**
 * How sure an attribution is, measured on the readings themselves: each rule is tried on readings that it does not see, and its confidence is the share that it gets
 * right. Few tries count together with a guess made before: `sure` 0.98, `alone` and `outside` 0.85, `near` and `between` 0.5.
 */
export class Confidence {
  readonly #near: readonly Count[] = counts();
  readonly #between: readonly Count[] = counts();
  readonly #sure: Count = count();
  readonly #alone: Count = count();
  readonly #outside: Count = count();

  /** Two readings in one stretch of work, with others open meanwhile: did the second say what the first did? */
  tryNear(distanceUs: number, isHit: boolean): void {
    add(this.#near[classOf(distanceUs)]!, distanceUs, isHit);
  }

  /** A reading between two that agree. */
  tryBetween(gapUs: number, isHit: boolean): void {
    add(this.#between[classOf(gapUs)]!, gapUs, isHit);
  }

  /** Two readings, and between them no other request was open. */
  trySure(isHit: boolean): void {
    add(this.#sure, 0, isHit);
  }

  /** A reading while one request was open: was it that one? */
  tryAlone(isHit: boolean): void {
    add(this.#alone, 0, isHit);
  }

  /** A reading while none was open: did it find no span? */
  tryOutside(isHit: boolean): void {
    add(this.#outside, 0, isHit);
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

  /** Something else comes on at a steady rate, so near a reading the doubt grows with the distance from it. */
  near(distanceUs: number): number {
    const pooled = pool(this.#near, classOf(distanceUs));
    const meanUs = pooled.tries === 0 ? firstBoundUs : pooled.distanceUs / pooled.tries;
    return 1 - (1 - rate(pooled, { share: 0.5, weight: 1 })) * Math.min(1, distanceUs / meanUs);
  }

  between(gapUs: number): number {
    return rate(pool(this.#between, classOf(gapUs)), { share: 0.5, weight: 2 });
  }
}

function count(): Count {
  return { hits: 0, tries: 0, distanceUs: 0 };
}

function counts(): readonly Count[] {
  return Array.from({ length: classes }, count);
}

function add(to: Count, distanceUs: number, isHit: boolean): void {
  to.tries += 1;
  to.distanceUs += distanceUs;
  if (isHit) to.hits += 1;
}

function classOf(distanceUs: number): number {
  return Math.min(classes - 1, Math.max(0, Math.ceil(Math.log2(distanceUs / firstBoundUs))));
}

/** What is further away is surely no better, so it fills up a class of few. */
function pool(each: readonly Count[], from: number): Count {
  const sum = count();
  for (let at = from; at < each.length && sum.tries < enoughPairs; at++) {
    const { hits, tries, distanceUs } = each[at]!;
    sum.hits += hits;
    sum.tries += tries;
    sum.distanceUs += distanceUs;
  }
  return sum;
}

function rate({ hits, tries }: Count, guess: { share: number; weight: number }): number {
  return (hits + guess.share * guess.weight) / (tries + guess.weight);
}
