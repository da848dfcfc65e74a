import { SidescopeError } from '../../protocol/error.ts';
import { answerRequests } from '../worker-answers.ts';
import { FlameDesk } from './desk.ts';
import type { ProfileSource, QuestionName, Questions, Request } from './messages.ts';
import { readProfile, type ReadProfile } from './read-profile.ts';
import { readSource } from './source-bytes.ts';

/** The thread that parses and lays out: one profile is open at a time. */
let desk: FlameDesk | undefined;

answerRequests({ answer });

async function answer(request: Request): Promise<Questions[QuestionName]['answer']> {
  if (request.name === 'open') {
    desk = undefined;
    desk = new FlameDesk(await read(request.asked.source));
    return desk.opened();
  }
  if (request.name === 'turn') return null;
  if (desk === undefined) throw new SidescopeError('not-found', 'no profile is open');
  switch (request.name) {
    case 'requests':
      return desk.requests(await read(request.asked.source));
    case 'layout':
      return desk.layout(request.asked);
    case 'search':
      return desk.search(request.asked);
    case 'compare':
      return desk.compare(await read(request.asked.source));
    case 'lines':
      return desk.lines(request.asked.frame);
  }
}

async function read(source: ProfileSource): Promise<ReadProfile> {
  return readProfile(await readSource(source), source.kind === 'stored' ? source.samples : undefined);
}
