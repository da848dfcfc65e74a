import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { FlameDesk } from './desk.ts';
import type { QuestionName, Questions, Reply, Request } from './messages.ts';
import { readProfile } from './read-profile.ts';
import { readSource } from './source-bytes.ts';

/** The thread that parses and lays out: one profile is open at a time. */
let desk: FlameDesk | undefined;

addEventListener('message', ({ data }: MessageEvent<Request>) => {
  answer(data).then(
    (found) => reply({ type: 'answer', id: data.id, answer: found }),
    (error: unknown) => reply({ type: 'failure', id: data.id, ...explain(error) }),
  );
});

async function answer(request: Request): Promise<Questions[QuestionName]['answer']> {
  if (request.name === 'open') {
    desk = undefined;
    desk = new FlameDesk(readProfile(await readSource(request.asked.source)));
    return desk.opened();
  }
  if (desk === undefined) throw new SidescopeError('not-found', 'no profile is open');
  switch (request.name) {
    case 'requests':
      return desk.requests(readProfile(await readSource(request.asked.source)));
    case 'layout':
      return desk.layout(request.asked);
    case 'search':
      return desk.search(request.asked);
    case 'compare':
      return desk.compare(readProfile(await readSource(request.asked.source)));
    case 'lines':
      return desk.lines(request.asked.frame);
  }
}

function explain(error: unknown): { code: string; message: string } {
  if (isSidescopeError(error)) return { code: error.code, message: error.message };
  // Typed arrays that do not fit are a RangeError.
  if (error instanceof RangeError)
    return { code: 'analysis-limit', message: `this browser has not the memory for it: ${error.message}` };
  if (error instanceof TypeError)
    return { code: 'damaged-profile', message: `the bytes stopped coming: ${error.message}` };
  return { code: 'page-fault', message: error instanceof Error ? error.message : String(error) };
}

function reply(message: Reply): void {
  postMessage(message);
}
