import { z } from 'zod';

interface ProblemKind {
  /** HTTP status when the error reaches a route. */
  readonly status: number;
  /** What happened, for a person. The README's table of codes is generated from these two. */
  readonly cause: string;
  readonly remedy: string;
}

/** Every error code there is. Codes are stable: clients and alerts match on them. */
export const problemKinds = {
  // opening an inspector
  'no-such-process': {
    status: 404,
    cause: 'There is no process with this id, or it ended or was replaced by another meanwhile.',
    remedy: '`ps -e` lists what runs; in a pod ids differ between containers without `shareProcessNamespace`.',
  },
  'not-a-node-process': {
    status: 409,
    cause: 'The process does not run Node.js by all signs in /proc. It was not signalled: that could have killed it.',
    remedy: 'Name the Node.js process itself, not the shell or wrapper that started it.',
  },
  'process-of-another-user': {
    status: 403,
    cause:
      'The process belongs to another user or group, so its inspector cannot be opened by a signal, or not safely.',
    remedy: 'Run as its user; in a pod with its `runAsUser` and `runAsGroup`; or start it with `--inspect`.',
  },
  'inspector-disabled': {
    status: 409,
    cause: 'The process cannot open an inspector: `--disable-sigusr1`, or the permission model (`--permission`).',
    remedy: 'Start it without that flag; with the permission model Node.js 24 needs `--allow-inspector`.',
  },
  'signal-handled': {
    status: 409,
    cause: 'SIGUSR1 opened no inspector though the event loop turns: the application handles that signal itself.',
    remedy: 'Start it with `--inspect=127.0.0.1:0`.',
  },
  'inspector-port-taken': {
    status: 409,
    cause: 'Another process listens at the port where this one would open its inspector.',
    remedy: 'Profile one after the other, or start each with `--inspect-port=0` or `--inspect=127.0.0.1:0`.',
  },
  'cluster-primary': {
    status: 409,
    cause:
      'The process is the primary of a cluster; signalled, it would make all its workers open inspectors at one port, and fail.',
    remedy: 'Name one of its workers; the message lists them.',
  },
  'debug-container-failed': {
    status: 500,
    cause: 'The ephemeral container of `sidescope why pod/NAME` did not start, or gave no answer.',
    remedy: 'The message holds its last words; `kubectl describe pod` says why one does not start.',
  },
  'native-call': {
    status: 504,
    cause:
      'The main thread sits in a native call (child process, file system, computation), so that no inspector can be opened now.',
    remedy: 'The message says in which, as far as /proc shows it; try again when it has returned.',
  },
  // requests
  'invalid-request': {
    status: 400,
    cause: 'A parameter, header or body is not what the contract says.',
    remedy: 'Read `errors` in the answer: name, limit and value seen of each.',
  },
  'body-too-large': {
    status: 413,
    cause: 'The request body is over the bound.',
    remedy: 'Send less; the limit is in the message.',
  },
  'headers-too-large': {
    status: 431,
    cause: 'The address and the headers of the request are over the bound.',
    remedy: 'Send fewer or shorter headers; the limit is in the message.',
  },
  'request-timeout': {
    status: 408,
    cause: 'The request did not come whole in time.',
    remedy: 'Send it again on a new connection.',
  },
  'unsupported-media-type': {
    status: 415,
    cause: 'The body is not declared as JSON.',
    remedy: 'Send `Content-Type: application/json`.',
  },
  unauthorized: {
    status: 401,
    cause: 'No credential, or one that is unknown, malformed or expired.',
    remedy:
      "Send `Authorization: Bearer <token>`; get a token from the agent's terminal, with `sidescope token`, or from the issuer that `--jwks` names.",
  },
  'jwt-keys-unavailable': {
    status: 503,
    cause:
      'The keys that JWTs are signed by could not be read yet, or not for twelve hours. Other tokens are still taken.',
    remedy: '`/readyz` of the ops listener says why; the agent reads them again by itself. See `--jwks`.',
  },
  'too-many-attempts': {
    status: 429,
    cause: 'Too many requests with wrong credentials. Right ones are still answered.',
    remedy: 'Wait; `Retry-After` says how long.',
  },
  'forbidden-scope': {
    status: 403,
    cause: 'The credential lacks the scope that the route names.',
    remedy: 'Use a token with that scope.',
  },
  'forbidden-host': {
    status: 403,
    cause: 'The Host header names a host that is not allowed (DNS rebinding).',
    remedy: 'Use localhost, or add the host to `--allowed-hosts`.',
  },
  'forbidden-origin': {
    status: 403,
    cause: 'The request comes from a page of another origin.',
    remedy: "Use the agent's own page, or a client that sends no Origin.",
  },
  'not-found': { status: 404, cause: 'There is no such route.', remedy: 'See `/api/v1/profiling/openapi.json`.' },
  'method-not-allowed': {
    status: 405,
    cause: 'The route exists, but not with this method.',
    remedy: 'See the `Allow` header.',
  },
  'too-many-streams': {
    status: 429,
    cause: 'The bound of open event streams is reached.',
    remedy: 'Close pages that are not needed.',
  },
  'page-not-built': {
    status: 503,
    cause: 'The dashboard was never built in this checkout.',
    remedy: 'Run `npm run build`.',
  },
  internal: {
    status: 500,
    cause: 'A fault of Sidescope itself.',
    remedy: 'The log has it under the request id; please report it.',
  },
  'shutting-down': { status: 503, cause: 'The agent is stopping.', remedy: 'Wait for its next start.' },
  // targets and threads
  'unknown-target': { status: 404, cause: 'No target has this id.', remedy: '`GET /targets` lists them.' },
  'target-required': {
    status: 400,
    cause: 'There are several targets and the request names none.',
    remedy: 'Add `target=<id>`.',
  },
  'target-not-attached': {
    status: 409,
    cause: 'The agent is not attached to the target now.',
    remedy: 'The message says why; the agent keeps trying by itself.',
  },
  'target-gone': {
    status: 502,
    cause: 'The target ended, or its connection was cut, while the agent was using it.',
    remedy: 'Start again when the target is back.',
  },
  'unknown-thread': {
    status: 404,
    cause: 'The target has no such thread now.',
    remedy: '`GET /targets` lists the threads.',
  },
  'wrapper-process': {
    status: 409,
    cause: 'The inspector belongs to npm, yarn, pnpm, nodemon or pm2, not to the application.',
    remedy: 'Start the application with `node --inspect=127.0.0.1:0 …` itself, or set `NODE_OPTIONS` only for it.',
  },
  'inspector-unreachable': {
    status: 502,
    cause: "Nothing listens at the inspector's address, or its name does not resolve.",
    remedy: 'Start the target with `--inspect`; the agent keeps trying.',
  },
  'inspector-timeout': {
    status: 504,
    cause: 'The inspector took the connection or the request and did not answer in time.',
    remedy: 'The target may be stopped or inside a long native call.',
  },
  'inspector-http-error': {
    status: 502,
    cause:
      "The inspector's port answered with an HTTP error: another server, or an inspector started with `--inspect-publish-uid=stderr`.",
    remedy: 'Check the port; use `--inspect-publish-uid=http`.',
  },
  'inspector-bad-answer': {
    status: 502,
    cause: 'The port answered with something that is not the inspector protocol.',
    remedy: 'Check that the port is a Node.js inspector.',
  },
  'inspector-message-too-large': {
    status: 502,
    cause: 'One inspector message was over the bound.',
    remedy: 'Take a shorter profile, or a longer sampling interval.',
  },
  'inspector-refused': { status: 502, cause: 'V8 refused a command.', remedy: "The message holds V8's reason." },
  // captures
  'too-many-captures': {
    status: 429,
    cause: 'A heavy capture runs on this target and the queue is full.',
    remedy: 'Wait; `Retry-After` says how long.',
  },
  'capture-conflict': {
    status: 409,
    cause: 'The operation does not fit what runs now.',
    remedy: 'The message says what runs.',
  },
  'profiler-active': {
    status: 409,
    cause: "Another profiler in the target uses V8's heap profiler: there is one per thread, and ours would break it.",
    remedy: 'Read the allocation profile of that profiler, or start the target without it.',
  },
  'unsupported-target': {
    status: 409,
    cause: "The target's Node.js version cannot do this.",
    remedy: 'The message says which version can.',
  },
  'nothing-to-stop': {
    status: 409,
    cause: 'No CPU capture runs on this target.',
    remedy: '`GET /operations` shows what runs.',
  },
  'too-many-samples': {
    status: 400,
    cause: 'Duration and interval give more samples than one profile can hold.',
    remedy: 'Shorten the duration or lengthen the interval.',
  },
  'snapshot-refused': {
    status: 409,
    cause: 'The snapshot would probably kill the target, or pause it longer than `--liveness-budget`.',
    remedy: 'Use heap sampling, take the safe way in `details`, or `force=true`.',
  },
  'empty-profile': {
    status: 502,
    cause: "V8's sampler gave no samples.",
    remedy: 'Take it again; if it stays, restart the target: its sampler is stuck.',
  },
  'capture-interrupted': {
    status: 502,
    cause: 'The capture ended early and nothing readable could be kept.',
    remedy: 'The message says what interrupted it.',
  },
  'capture-abandoned': { status: 409, cause: 'A person cancelled the operation.', remedy: 'Start a new one.' },
  'agent-restarted': { status: 409, cause: 'The agent ended while the operation ran.', remedy: 'Start it again.' },
  'unknown-operation': {
    status: 404,
    cause: 'No operation has this id; finished ones expire.',
    remedy: '`GET /operations` lists them.',
  },
  'unknown-rule': {
    status: 404,
    cause: 'No rule of the configuration file has this name.',
    remedy: '`GET /rules` lists them, and what is wrong with the file.',
  },
  'unknown-catch': {
    status: 404,
    cause: 'No "catch the next one" has this id, or it ended long ago.',
    remedy: '`GET /rules` lists them.',
  },
  'operation-ended': { status: 409, cause: 'The operation has ended already.', remedy: 'Nothing to do.' },
  // artifacts
  'baseline-not-ready': {
    status: 409,
    cause: 'There are not enough windows of this run of the program yet to say what is normal.',
    remedy: 'Try again in some minutes; `GET /baseline` says what it waits for.',
  },
  'unknown-trace': {
    status: 404,
    cause: 'No trace with this id is kept: only the recent ones are, and longer the slow and the failed of each route.',
    remedy: '`GET /timelines` lists them; spans of a request appear some seconds after its end.',
  },
  'unknown-profile': { status: 404, cause: 'No profile has this id.', remedy: '`GET /profiles` lists them.' },
  'profile-in-use': {
    status: 409,
    cause: 'The profile is being written or downloaded.',
    remedy: 'Try again when that has ended.',
  },
  'profile-pinned': {
    status: 409,
    cause: 'The profile is pinned.',
    remedy: '`PATCH /profiles/:id` with `{"pinned": false}` first.',
  },
  'unsupported-format': {
    status: 400,
    cause: 'This kind of profile cannot be had in that format.',
    remedy: 'The message lists the formats.',
  },
  'bad-ticket': {
    status: 401,
    cause: 'The download ticket is unknown, expired, or of another artifact.',
    remedy: 'Ask for a new one.',
  },
  'range-not-satisfiable': {
    status: 416,
    cause: 'The Range starts behind the end of the artifact.',
    remedy: 'See `Content-Range` for the size.',
  },
  'damaged-profile': {
    status: 500,
    cause: 'The stored file is not what was written: length or checksum differ.',
    remedy: 'The disk, or somebody else, changed it. Take a new one.',
  },
  'unreadable-profile': {
    status: 422,
    cause: 'The bytes are not a profile of that kind.',
    remedy: 'The message says at which offset and why.',
  },
  'unreadable-source-map': {
    status: 422,
    cause: 'A source map of the target is not one, or broken. It only costs the original names.',
    remedy: 'The message says at which byte and why; build the target again.',
  },
  'unusable-file': {
    status: 422,
    cause: 'A file that a command names cannot be read or written.',
    remedy: 'The message says which and why.',
  },
  'analysis-limit': {
    status: 422,
    cause: 'Reading or converting the profile needs more memory or time than the agent gives it.',
    remedy: 'Download the profile as it is and convert it elsewhere, or take a shorter one.',
  },
  'too-many-analyses': {
    status: 429,
    cause: 'Too many profiles are being read or converted at once.',
    remedy: 'Try again in some seconds.',
  },
  'heap-analysis-off': {
    status: 409,
    cause: 'The agent does not analyse heap snapshots: the memory limit of its container is mostly too small for it.',
    remedy:
      'Open the snapshot in the page (Memory), or download it and run `sidescope heap summary FILE`; or set `--heap-analysis`.',
  },
  'heap-analysis-refused': {
    status: 409,
    cause: 'Analysing the snapshot takes more memory than the container has left; the message has the numbers.',
    remedy:
      "Open the snapshot in the page (Memory), or download it and run `sidescope heap summary FILE`; or raise the container's limit.",
  },
  'not-analysed': {
    status: 404,
    cause: 'The agent has not analysed this heap snapshot, or not these two together.',
    remedy:
      'With `--heap-analysis`, `POST /profiles/:id/analyse` first. Without, open it in the page (Memory), or run `sidescope heap summary FILE`.',
  },
  'disk-budget': {
    status: 507,
    cause: 'The artifact does not fit `--disk-budget`, also after removing what may be removed.',
    remedy: 'Delete or unpin profiles, or raise the budget.',
  },
  'disk-full': { status: 507, cause: 'The disk under the data directory is full.', remedy: 'Free space on it.' },
  'storage-failed': {
    status: 500,
    cause: 'The data directory gave an I/O error.',
    remedy: "The message holds the system's reason.",
  },
  // requests of OpenTelemetry
  'unreadable-otlp': {
    status: 400,
    cause: 'The body is not an OTLP trace request in the encoding that its content type names.',
    remedy: 'The message says at which byte and why; it is the sender that must change.',
  },
  // alerts
  'alert-not-delivered': {
    status: 502,
    cause: 'Sentry or the webhook did not take an alert. It is kept and sent again, unless it was refused for good.',
    remedy: 'The message says who answered what; `GET /alerts` has the alert.',
  },
  'egress-failed': {
    status: 502,
    cause: 'A destination did not take a profile. It is kept and sent again, unless it was refused for good.',
    remedy: 'The message says who answered what; `GET /egress` has the state of each destination.',
  },
  'otlp-busy': {
    status: 503,
    cause: 'Spans come faster than they are decoded, and the bound of bytes that may wait is reached.',
    remedy: 'Exporters try again by themselves; `Retry-After` says when.',
  },
  // the target's metrics page
  'metrics-unreachable': {
    status: 502,
    cause: "Nothing answers at `--metrics-url`, or its name, its certificate or its token's file is wrong.",
    remedy: "The message holds the system's reason; `curl` the address from the agent's container.",
  },
  'metrics-timeout': {
    status: 504,
    cause: 'The metrics page was not there, or not whole, in time. The agent reads it less often then.',
    remedy: 'Look at what the page computes when it is read; large pages take longer.',
  },
  'metrics-http-error': {
    status: 502,
    cause: 'The metrics page answered with an HTTP status other than 200, or leads to another host.',
    remedy: 'Check the path of `--metrics-url`; a page that wants a token has `--metrics-token-file`.',
  },
  'not-a-metrics-page': {
    status: 502,
    cause: 'What `--metrics-url` answers is of another content type than metrics have, such as HTML.',
    remedy: 'Name the page that Prometheus reads, mostly `/metrics`.',
  },
  'unreadable-metrics': {
    status: 502,
    cause: 'The metrics page breaks its format so that values cannot be trusted; nothing of it is used.',
    remedy: 'The message says in which line and why; `promtool check metrics` says more.',
  },
  'metrics-too-large': {
    status: 502,
    cause: 'The metrics page has more bytes or series than the agent reads.',
    remedy: 'Remove labels with many values from the metrics; the limit is in the message.',
  },
  'metrics-off': {
    status: 404,
    cause: 'The agent does not know a metrics page.',
    remedy: 'Set `--metrics-url`, such as `http://127.0.0.1:3000/metrics`.',
  },
  'metrics-busy': {
    status: 429,
    cause: 'The metrics page is being read for others already, as often as is good for the target.',
    remedy: '`Retry-After` says when; one Prometheus is enough.',
  },
  // configuration
  'invalid-option': {
    status: 500,
    cause: 'An option is unknown, malformed, or contradicts another one.',
    remedy: 'See `sidescope --help`.',
  },
  'address-in-use': {
    status: 500,
    cause: 'A port that the agent should listen on is taken.',
    remedy: 'Set another address; port 0 picks a free one.',
  },
  'no-agent': {
    status: 500,
    cause: 'A command found no agent that it may ask, or several.',
    remedy: 'Run it beside the agent and as its user; `--data-dir` names one of several.',
  },
  'kubectl-failed': {
    status: 500,
    cause: '`kubectl` could not be run, or refused what a command asked of it.',
    remedy: "The message holds kubectl's reason and what to do.",
  },
  'no-pods': {
    status: 500,
    cause: 'A command found no pod that it can ask: none has the labels, or none of them has the agent.',
    remedy: 'The message says which; `kubectl get pods -l …` lists what there is.',
  },
  'agent-refused': {
    status: 500,
    cause: "A pod's agent could not be asked, or answered with a problem.",
    remedy: 'The message names the pod and its answer.',
  },
  'nothing-to-compare': {
    status: 500,
    cause: 'A workload has no pods of two versions at the same time.',
    remedy: 'Run `sidescope compare` while the rollout goes on.',
  },
  'unmergeable-profiles': {
    status: 500,
    cause: 'Profiles that hold different values cannot be one, or they are too many.',
    remedy: 'Merge profiles of one kind; the message names both, or the limit.',
  },
  'data-directory-locked': {
    status: 500,
    cause: 'Another agent uses the data directory.',
    remedy: 'Give each agent its own `--data-dir`.',
  },
  'data-directory-unusable': {
    status: 500,
    cause: 'The data directory cannot be created, written or read.',
    remedy: 'Set `--data-dir` to a writable directory.',
  },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof problemKinds;

/** RFC 9457 body (`application/problem+json`). `errors` is there for `invalid-request`: one entry per bad parameter. */
export const problemSchema = z.object({
  type: z.string().describe("A URI reference: the code's entry in the served documentation"),
  title: z.string(),
  status: z.int(),
  code: z.string().describe('Stable, to be matched on'),
  detail: z.string().describe('What was tried, on what, the limit, the value seen'),
  remedy: z.string().optional(),
  requestId: z.string().optional(),
  errors: z.array(z.object({ parameter: z.string(), message: z.string(), value: z.string().optional() })).optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});
export type Problem = z.infer<typeof problemSchema>;
