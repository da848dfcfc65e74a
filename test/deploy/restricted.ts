import { at, containersOf, list, podTemplate, text } from './render.ts';
import type { Json, JsonObject } from './render.ts';

const allowedVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

/** What Pod Security's profile "restricted" (and "baseline" below it) would refuse; empty when it admits the workload. */
export function restrictedProblems(object: JsonObject): readonly string[] {
  const template = podTemplate(object);
  if (template === undefined) return [];
  const spec = at(template, 'spec');
  const pod = at(spec, 'securityContext');
  return [
    ...['hostNetwork', 'hostPID', 'hostIPC'].filter((name) => at(spec, name) === true).map((name) => `${name} is on`),
    ...list(at(spec, 'volumes')).flatMap((volume) =>
      Object.keys(volume)
        .filter((key) => key !== 'name' && !allowedVolumes.includes(key))
        .map((key) => `volume ${text(volume['name'])} is a ${key}`),
    ),
    ...containersOf(template).flatMap((container) =>
      containerProblems(container, pod).map((problem) => `container ${text(container['name'])}: ${problem}`),
    ),
  ];
}

function containerProblems(container: JsonObject, pod: Json | undefined): string[] {
  const own = container['securityContext'];
  const either = (...path: string[]): Json | undefined => at(own, ...path) ?? at(pod, ...path);
  const added = list(at(own, 'capabilities', 'add')) as readonly Json[];
  const dropped = list(at(own, 'capabilities', 'drop')) as readonly Json[];
  const rules: readonly [boolean, string][] = [
    [at(own, 'privileged') !== true, 'is privileged'],
    [at(own, 'allowPrivilegeEscalation') === false, 'allowPrivilegeEscalation is not false'],
    [dropped.includes('ALL'), 'does not drop ALL capabilities'],
    [added.every((name) => name === 'NET_BIND_SERVICE'), `adds ${added.map(text).join(', ')}`],
    [either('runAsNonRoot') === true, 'runAsNonRoot is not true'],
    [either('runAsUser') !== 0, 'runs as root'],
    [['RuntimeDefault', 'Localhost'].includes(text(either('seccompProfile', 'type'))), 'has no seccomp profile'],
    [
      ['procMount', 'seLinuxOptions', 'windowsOptions'].every((name) => at(own, name) === undefined),
      'changes procMount or labels',
    ],
    [list(container['ports']).every(({ hostPort }) => hostPort === undefined), 'has a host port'],
  ];
  return rules.filter(([holds]) => !holds).map(([, problem]) => problem);
}
