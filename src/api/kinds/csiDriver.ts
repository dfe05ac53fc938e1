import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { boolean, type Check, integer, list, object, oneOf, required, setList, string } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export const tokenRequest = object('io.k8s.api.storage.v1.TokenRequest', {
  audience: required(
    string({ doc: 'Whom the token is for; the API server if empty.', default: '', mayBeEmpty: true }),
  ),
  expirationSeconds: integer({ doc: 'For how long it holds.', check: checkExpiration }),
});

const modes = ['Persistent', 'Ephemeral'];

export const csiDriverSpec = object(
  'io.k8s.api.storage.v1.CSIDriverSpec',
  {
    attachRequired: boolean({ doc: 'Whether volumes are attached before they are mounted.', default: true }),
    fsGroupPolicy: oneOf(['File', 'None', 'ReadWriteOnceWithFSType'], {
      doc: 'Whether files are given to the group of the pod.',
      default: 'ReadWriteOnceWithFSType',
    }),
    podInfoOnMount: boolean({ doc: 'Whether the driver is told of the pod.', default: false }),
    requiresRepublish: boolean({ doc: 'Whether volumes are published again and again.', default: false }),
    seLinuxMount: boolean({ doc: 'Whether volumes can be mounted with an SELinux context.', default: false }),
    storageCapacity: boolean({ doc: 'Whether CSIStorageCapacity objects are to be asked.', default: false }),
    tokenRequests: list(tokenRequest, { doc: 'Tokens that the driver gets.', check: checkAudiences }),
    volumeLifecycleModes: setList(string(), {
      doc: 'Persistent, Ephemeral or both.',
      mergeKey: undefined,
      default: ['Persistent'],
      check: checkModes,
      checkUpdate: immutable,
    }),
  },
  {
    checkUpdate(next, previous, at, report) {
      // Kubernetes' own word for the field.
      immutable(next?.attachRequired, previous?.attachRequired, at.child('attachedRequired'), report);
    },
  },
);

const schema = kindSchema(
  'io.k8s.api.storage.v1.CSIDriver',
  { apiVersion: 'storage.k8s.io/v1', kind: 'CSIDriver' },
  { spec: required(csiDriverSpec) },
  'CSIDriver says how a driver of the Container Storage Interface is to be used.',
);

export interface CSIDriver extends ObjectOf<typeof schema> {}

export const csiDriver = defineKind<CSIDriver>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIDriver',
  plural: 'csidrivers',
  namespaced: false,
  countsGenerations: true,
  schema,
  columns: [
    nameColumn,
    {
      name: 'AttachRequired',
      type: 'boolean',
      doc: 'Whether volumes are attached.',
      value: ({ spec }) => spec?.attachRequired ?? true,
    },
    {
      name: 'PodInfoOnMount',
      type: 'boolean',
      doc: 'Whether the driver is told of the pod.',
      value: ({ spec }) => spec?.podInfoOnMount ?? false,
    },
    {
      name: 'StorageCapacity',
      type: 'boolean',
      doc: 'Whether its capacity is asked for.',
      value: ({ spec }) => spec?.storageCapacity ?? false,
    },
    {
      name: 'TokenRequests',
      doc: 'Whom its tokens are for.',
      value: ({ spec }) => spec?.tokenRequests?.map(({ audience }) => audience).join(',') ?? '<unset>',
    },
    {
      name: 'RequiresRepublish',
      type: 'boolean',
      doc: 'Whether volumes are published again.',
      value: ({ spec }) => spec?.requiresRepublish ?? false,
    },
    {
      name: 'Modes',
      doc: 'Persistent, Ephemeral or both.',
      value: ({ spec }) => spec?.volumeLifecycleModes?.join(',') || '<none>',
    },
    ageColumn,
  ],
});

const secondsMin = 600;
const secondsMax = 2 ** 32;

function checkExpiration(seconds: number, at: Path, report: Report): void {
  if (seconds < secondsMin) report.invalid(at, seconds, 'may not specify a duration less than 10 minutes');
  if (seconds > secondsMax)
    report.invalid(at, seconds, 'may not specify a duration larger than 2^32 seconds');
}

function checkAudiences(...[requests, at, report]: Parameters<Check<{ audience: string }[]>>): void {
  const seen = new Set<string>();
  for (const [index, { audience = '' }] of requests.entries()) {
    if (seen.has(audience)) report.duplicate(at.index(index).child('audience'), audience);
    seen.add(audience);
  }
}

function checkModes(...[wanted, at, report]: Parameters<Check<string[]>>): void {
  for (const mode of wanted) if (!modes.includes(mode)) report.unsupported(at, mode, modes, true);
}
