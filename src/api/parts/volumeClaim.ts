import { follows } from '../checks.ts';
import { dns1123Subdomain } from '../names.ts';
import type { Path } from '../path.ts';
import { compareQuantities } from '../quantity.ts';
import type { Report } from '../report.ts';
import {
  type Check,
  list,
  map,
  object,
  oneOf,
  quantity,
  refine,
  required,
  string,
  type TypeOf,
} from '../schema.ts';
import { labelSelector, objectMeta, typedLocalObjectReference, typedObjectReference } from './meta.ts';

export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'] as const;

/** `ReadWriteOncePod` says who alone has the volume, so nothing can stand beside it. */
export const checkAccessModes: Check<string[]> = (modes, at, report) => {
  for (const mode of modes) {
    if (!accessModes.some((known) => known === mode)) report.unsupported(at, mode, accessModes);
  }
  if (modes.length > 1 && modes.includes('ReadWriteOncePod')) {
    report.forbidden(at, 'may not use ReadWriteOncePod with other access modes');
  }
};

export const volumeMode = oneOf(['Filesystem', 'Block'], {
  doc: 'A folder, or a raw block device.',
  default: 'Filesystem',
});

export const volumeResourceRequirements = object('io.k8s.api.core.v1.VolumeResourceRequirements', {
  limits: map(quantity(), { doc: 'The largest volume that will do.' }),
  requests: map(quantity(), { doc: 'The smallest volume that will do, as storage: 1Gi.' }),
});
export type VolumeResourceRequirements = TypeOf<typeof volumeResourceRequirements>;

export const persistentVolumeClaimSpec = object(
  'io.k8s.api.core.v1.PersistentVolumeClaimSpec',
  {
    accessModes: list(string(), { doc: 'How the volume is to be mounted, e.g. ReadWriteOnce.' }),
    dataSource: refine(typedLocalObjectReference, { doc: 'What the volume is to begin with.' }),
    dataSourceRef: refine(typedObjectReference, { doc: 'What the volume is to begin with.' }),
    resources: refine(volumeResourceRequirements, { doc: 'How large the volume is to be.' }),
    selector: refine(labelSelector, { doc: 'Which volumes are considered.' }),
    storageClassName: string({
      doc: "The StorageClass; the default one if absent, none if ''.",
      check: (name, at, report) => {
        if (name !== '') follows(dns1123Subdomain)(name, at, report);
      },
    }),
    volumeAttributesClassName: string({ doc: 'The VolumeAttributesClass.' }),
    volumeMode,
    volumeName: string({ doc: 'The volume that it is bound to.' }),
  },
  { doc: 'What storage is asked for.', check: checkClaimSpec },
);
export type PersistentVolumeClaimSpec = TypeOf<typeof persistentVolumeClaimSpec>;

interface Checked {
  accessModes?: string[];
  resources?: VolumeResourceRequirements;
  dataSource?: { apiGroup?: string; kind: string; name: string };
}

function checkClaimSpec(
  { accessModes: modes = [], resources, dataSource }: Checked,
  at: Path,
  report: Report,
) {
  const modesAt = at.child('accessModes');
  if (modes.length === 0) report.required(modesAt, 'at least 1 access mode is required');
  checkAccessModes(modes, modesAt, report);
  const storage = resources?.requests?.storage;
  const storageAt = at.child('resources').key('storage');
  if (storage === undefined) report.required(storageAt);
  else if (compareQuantities(storage, 0) <= 0)
    report.invalid(storageAt, storage, 'must be greater than zero');
  if (dataSource && !dataSource.apiGroup && dataSource.kind !== 'PersistentVolumeClaim') {
    const why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
    report.invalid(at.child('dataSource'), dataSource.kind, why);
  }
}

export const persistentVolumeClaimTemplate = object('io.k8s.api.core.v1.PersistentVolumeClaimTemplate', {
  metadata: refine(objectMeta, { doc: 'Labels and annotations of the claim.' }),
  spec: required(refine(persistentVolumeClaimSpec, { doc: 'The claim.' })),
});
export type PersistentVolumeClaimTemplate = TypeOf<typeof persistentVolumeClaimTemplate>;

export const ephemeralVolumeSource = object(
  'io.k8s.api.core.v1.EphemeralVolumeSource',
  {
    volumeClaimTemplate: refine(persistentVolumeClaimTemplate, {
      doc: 'The claim that is made for the pod, and goes with it.',
    }),
  },
  {
    check({ volumeClaimTemplate }, at, report) {
      if (!volumeClaimTemplate) report.required(at.child('volumeClaimTemplate'));
    },
  },
);
export type EphemeralVolumeSource = TypeOf<typeof ephemeralVolumeSource>;
