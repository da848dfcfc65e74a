import { readSmallFile } from '../options/config-file.ts';
import { fileVersion } from '../regular-file.ts';
import { readRules, type RuleProblem } from './read-rules.ts';
import type { Rule } from './rule.ts';

const lookEveryMs = 5_000;
const notAFile = 'not a regular file';

export interface RulesFileOptions {
  readonly path: string;
  readonly onRules: (rules: readonly Rule[]) => void;
  readonly log: { info(facts: object, message: string): void; error(facts: object, message: string): void };
  readonly lookEveryMs?: number | undefined;
}

/** The rules of a configuration file, read again when it changes. A bad file changes nothing but `problems`. */
export class RulesFile implements Disposable {
  readonly path: string;
  readonly #options: RulesFileOptions;
  readonly #timer: NodeJS.Timeout;
  #version: string | undefined;
  #problems: readonly RuleProblem[] = [];
  #loadedAt: string | null = null;
  #reading: Promise<void> | undefined;

  static async open(options: RulesFileOptions): Promise<RulesFile> {
    const file = new RulesFile(options);
    await file.look();
    return file;
  }

  private constructor(options: RulesFileOptions) {
    this.path = options.path;
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), options.lookEveryMs ?? lookEveryMs).unref();
  }

  /** Of the file as it is now. */
  get problems(): readonly RuleProblem[] {
    return this.#problems;
  }

  /** When the rules in use were read; null when none ever were. */
  get loadedAt(): string | null {
    return this.#loadedAt;
  }

  /** Reads it when it is another one than before. Never rejects. */
  look(): Promise<void> {
    this.#reading ??= this.#look().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { path, log, onRules } = this.#options;
    try {
      // A pipe gives its text once, to the options; a second reader waits for ever, and the agent's end with it.
      const version = (await fileVersion(path)) ?? notAFile;
      if (version === this.#version) return;
      if (version === notAFile) {
        this.#version = version;
        log.info({ path }, 'rules are not read from what is no regular file: the options took what it held');
        return;
      }
      const { rules, problems } = await readRules(await readSmallFile(path));
      this.#version = version;
      this.#problems = problems;
      if (problems.length === 0) {
        this.#loadedAt = new Date().toISOString();
        log.info({ path, rules: rules.length }, 'rules are read');
        onRules(rules);
        return;
      }
      for (const { line, message } of problems) log.error({ path, line }, `rules stay as they were: ${message}`);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (this.#problems[0]?.message !== message) log.error({ path }, `rules cannot be read: ${message}`);
      this.#version = undefined;
      this.#problems = [{ line: 1, message }];
    }
  }
}
