import { expect, it } from 'vitest';
import { reconnectDelayMs } from '../../dashboard/model/backoff.ts';
import type { StreamMessage } from '../../dashboard/model/event-stream.ts';
import { EventStreamParser } from '../../dashboard/model/event-stream.ts';

it.each<[what: string, text: string, messages: string[]]>([
  ['an event with its type', 'event: target\ndata: {"a":1}\n\n', ['target {"a":1}']],
  ['data without a type', 'data: x\n\n', ['message x']],
  ['several data lines as one', 'data: a\ndata: b\ndata\n\n', ['message a\nb\n']],
  ['one space after the colon as none', 'data:a\ndata:  b\n\n', ['message a\n b']],
  ['comments as nothing', ': heartbeat\n\n:\n\ndata: x\n\n', ['message x']],
  ['ids and retry as nothing', 'id: 7\nretry: 10\ndata: x\n\n', ['message x']],
  ['an event without data as nothing', 'event: target\n\ndata: x\n\n', ['message x']],
  ['CRLF', 'event: a\r\ndata: x\r\n\r\ndata: y\r\n\r\n', ['a x', 'message y']],
  ['CR alone', 'event: a\rdata: x\r\rdata: y\r\r:', ['a x', 'message y']],
  ['a byte order mark', '\uFEFFdata: x\n\n', ['message x']],
  ['colons in the data', 'data: {"url":"http://x"}\n\n', ['message {"url":"http://x"}']],
  ['a message without its end as nothing', 'data: x\n\ndata: y\n', ['message x']],
])('reads %s, wherever the text is cut', (_what, text, messages) => {
  for (let cut = 0; cut <= text.length; cut += 1) {
    const parser = new EventStreamParser();
    const seen = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))];
    expect(seen.map(readable), `cut at ${cut}`).toEqual(messages);
  }
});

it('reads one character at a time as it reads all at once', () => {
  const text = 'event: a\r\ndata: x\r\n\r\n: beat\r\n\r\ndata: y\n\n';
  const parser = new EventStreamParser();
  expect(Array.from(text).flatMap((char) => parser.push(char).map(readable))).toEqual(['a x', 'message y']);
});

it('refuses a message that never ends', () => {
  const parser = new EventStreamParser();
  const line = `data: ${'x'.repeat(1024 * 1024)}\n`;
  expect(() => {
    for (let count = 0; count < 5; count += 1) parser.push(line);
  }).toThrow('over 4194304 characters');
});

it('waits longer before each attempt, between half and the whole, up to 15 s', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 1000].map((attempt) => reconnectDelayMs(attempt, 1))).toEqual([
    500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000,
  ]);
  expect(reconnectDelayMs(1, 0)).toBe(250);
  expect(reconnectDelayMs(9, 0)).toBe(7500);
});

function readable(message: StreamMessage): string {
  return `${message.event} ${message.data}`;
}
