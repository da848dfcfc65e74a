export interface StreamMessage {
  readonly event: string;
  readonly data: string;
}

/** One message of ours is a target or a profile with its warnings: a few kB. */
const maxMessageChars = 4 * 1024 * 1024;

/**
 * Reads text/event-stream as the HTML standard says, from text cut anywhere. Comments (our heartbeats) give nothing;
 * a message that the stream's end cuts is dropped. Throws when one message is over 4 Mi characters.
 */
export class EventStreamParser {
  #rest = '';
  #event = '';
  #data: string[] = [];
  #size = 0;
  #started = false;

  push(text: string): StreamMessage[] {
    this.#rest += text;
    if (!this.#started && this.#rest !== '') {
      this.#started = true;
      if (this.#rest.startsWith('\uFEFF')) this.#rest = this.#rest.slice(1);
    }
    const messages: StreamMessage[] = [];
    let start = 0;
    for (;;) {
      const end = lineEnd(this.#rest, start);
      if (end === undefined) break;
      const message = this.#line(this.#rest.slice(start, end.at));
      if (message !== undefined) messages.push(message);
      start = end.next;
    }
    this.#rest = this.#rest.slice(start);
    if (this.#rest.length + this.#size > maxMessageChars) {
      throw new RangeError(`an event of the stream is over ${maxMessageChars} characters`);
    }
    return messages;
  }

  #line(line: string): StreamMessage | undefined {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'event') this.#event = value;
    if (field === 'data') {
      this.#data.push(value);
      this.#size += value.length;
    }
    return undefined;
  }

  #dispatch(): StreamMessage | undefined {
    const message =
      this.#data.length === 0 ? undefined : { event: this.#event || 'message', data: this.#data.join('\n') };
    this.#event = '';
    this.#data = [];
    this.#size = 0;
    return message;
  }
}

/** A lone CR at the end of the text may be the first half of CRLF: wait for the next character. */
function lineEnd(text: string, from: number): { at: number; next: number } | undefined {
  for (let at = from; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === 10) return { at, next: at + 1 };
    if (char !== 13) continue;
    if (at + 1 === text.length) return undefined;
    return { at, next: text.charCodeAt(at + 1) === 10 ? at + 2 : at + 1 };
  }
  return undefined;
}
