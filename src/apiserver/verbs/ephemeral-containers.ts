import { defaults } from '../../api/defaults.ts';
import { isEqualSemantically } from '../../api/equal.ts';
import { invalid } from '../../api/invalid.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { KubeObject } from '../../api/object.ts';
import { Path } from '../../api/path.ts';
import { Report } from '../../api/report.ts';
import type { Call, Context } from '../context.ts';
import { readObject } from '../decode.ts';
import { readWriteOptions } from '../options.ts';
import { readPatch } from './patch.ts';
import { change } from './update.ts';

type Ephemeral = NonNullable<NonNullable<Pod['spec']>['ephemeralContainers']>;

/** Fields that a container which only looks on can't have. */
const forbiddenFields = [
  'ports',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
  'resources',
  'resizePolicy',
  'restartPolicy',
] as const;

/** Answers a PUT or PATCH of a pod's ephemeral containers: new ones are added, nothing else changes. */
export function changeEphemeralContainers(context: Context, call: Call): Promise<KubeObject> {
  const options = readWriteOptions(call.request);
  const apply = call.info.verb === 'patch' ? readPatch(call) : () => call.request.body;
  return change(context, call, {
    part: 'main',
    isChecked: true,
    dryRun: options.dryRun,
    next: (stored) => {
      const current = stored as Pod;
      const read = readObject(call, apply(current), options.fieldValidation);
      const wanted = defaults(call.resource.kind, read) as Pod;
      const ephemeralContainers = wanted.spec?.ephemeralContainers ?? [];
      check(call, current, ephemeralContainers);
      const { resourceVersion, uid } = wanted.metadata ?? {};
      const metadata = {
        ...current.metadata,
        ...(resourceVersion && { resourceVersion }),
        ...(uid && { uid }),
      };
      return { ...current, metadata, spec: { ...current.spec, ephemeralContainers } } as Pod;
    },
  });
}

function check(call: Call, current: Pod, wanted: Ephemeral): void {
  const report = new Report();
  const at = new Path('spec').child('ephemeralContainers');
  const containers = [...(current.spec?.initContainers ?? []), ...(current.spec?.containers ?? [])];
  for (const old of current.spec?.ephemeralContainers ?? []) {
    const kept = wanted.find(({ name }) => name === old.name);
    if (!kept) report.forbidden(at, `existing ephemeral containers "${old.name}" may not be removed`);
    else if (!isEqualSemantically(kept, old)) {
      report.forbidden(at, `existing ephemeral containers "${old.name}" may not be changed`);
    }
  }
  for (const [index, container] of wanted.entries()) {
    const target = container.targetContainerName;
    if (target && !containers.some(({ name }) => name === target)) {
      report.notFound(at.index(index).child('targetContainerName'), target);
    }
    for (const field of forbiddenFields) {
      const value = container[field];
      if (value === undefined || isEqualSemantically(value, {}) || isEqualSemantically(value, [])) continue;
      report.forbidden(at.index(index).child(field), 'cannot be set for an Ephemeral Container');
    }
  }
  if (report.causes.length > 0) throw invalid(call.resource.kind, current.metadata!.name, report.causes);
}
