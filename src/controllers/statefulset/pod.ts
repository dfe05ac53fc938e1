import type { Pod } from '../../api/kinds/pod.ts';
import { type StatefulSet, statefulSet as statefulSetKind } from '../../api/kinds/statefulSet.ts';
import type { PodTemplateSpec } from '../../api/parts/podSpec.ts';
import { controllerReference } from '../owner.ts';
import { revisionHashLabel } from '../revisions.ts';
import { withClaims } from './claims.ts';

const nameLabel = 'statefulset.kubernetes.io/pod-name';
const indexLabel = 'apps.kubernetes.io/pod-index';

/** The pod of one ordinal, with the name and the host name that it keeps. */
export function podOf(
  statefulSet: StatefulSet,
  ordinal: number,
  { template, revision }: { template: PodTemplateSpec; revision: string },
): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  const { namespace = '' } = statefulSet.metadata ?? {};
  const name = `${statefulSet.metadata?.name}-${ordinal}`;
  const { serviceName } = statefulSet.spec!;
  const volumes = withClaims(statefulSet, ordinal, template.spec?.volumes);
  return {
    metadata: {
      name,
      generateName: `${statefulSet.metadata?.name}-`,
      namespace,
      labels: { ...labels, [nameLabel]: name, [indexLabel]: String(ordinal), [revisionHashLabel]: revision },
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
      ownerReferences: [controllerReference(statefulSetKind, statefulSet)],
    },
    spec: {
      ...template.spec!,
      hostname: name,
      ...(serviceName && { subdomain: serviceName }),
      ...(volumes.length > 0 && { volumes }),
    },
  };
}

/** The labels that a pod has from its name, where one that was taken in lacks them. */
export function missingIdentity({ metadata }: Pod, ordinal: number): Record<string, string> | undefined {
  const { name = '', labels } = metadata ?? {};
  return labels?.[nameLabel] === name ? undefined : { [nameLabel]: name, [indexLabel]: String(ordinal) };
}

/** The pod's number, if its name is one that the set gives. */
export function ordinalOf(statefulSet: StatefulSet, { metadata }: Pod): number | undefined {
  const { name = '' } = metadata ?? {};
  const prefix = `${statefulSet.metadata?.name}-`;
  const rest = name.slice(prefix.length);
  return name.startsWith(prefix) && /^(0|[1-9]\d*)$/.test(rest) ? Number(rest) : undefined;
}

export function revisionOf({ metadata }: Pod): string | undefined {
  return metadata?.labels?.[revisionHashLabel];
}
