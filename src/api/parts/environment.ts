import { exactlyOne, follows } from '../checks.ts';
import { configKey, dns1123Subdomain, environmentName } from '../names.ts';
import { boolean, type Check, object, quantity, required, string, type TypeOf } from '../schema.ts';

export const objectFieldSelector = object(
  'io.k8s.api.core.v1.ObjectFieldSelector',
  {
    apiVersion: string({ doc: 'The version that fieldPath is written in.', default: 'v1' }),
    fieldPath: required(string({ doc: 'Which field, e.g. metadata.name.' })),
  },
  { listType: 'atomic', doc: "A field of the pod's own object." },
);
export type ObjectFieldSelector = TypeOf<typeof objectFieldSelector>;

export const resourceFieldSelector = object(
  'io.k8s.api.core.v1.ResourceFieldSelector',
  {
    containerName: string({ doc: 'Whose resource; in a volume it must be named.' }),
    divisor: quantity({ doc: 'The unit of the result.', default: '0' }),
    resource: required(string({ doc: 'E.g. limits.cpu.' })),
  },
  { listType: 'atomic', doc: "A container's resource request or limit." },
);
export type ResourceFieldSelector = TypeOf<typeof resourceFieldSelector>;

const keyReference = {
  key: required(string({ doc: 'Which entry.', check: follows(configKey) })),
  name: required(string({ doc: 'Its name.', check: follows(dns1123Subdomain) })),
  optional: boolean({ doc: 'Whether it may be missing.' }),
};

export const configMapKeySelector = object('io.k8s.api.core.v1.ConfigMapKeySelector', keyReference, {
  listType: 'atomic',
  doc: 'One entry of a ConfigMap.',
});
export type ConfigMapKeySelector = TypeOf<typeof configMapKeySelector>;

export const secretKeySelector = object('io.k8s.api.core.v1.SecretKeySelector', keyReference, {
  listType: 'atomic',
  doc: 'One entry of a Secret.',
});
export type SecretKeySelector = TypeOf<typeof secretKeySelector>;

const environmentFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

const checkFieldPath: Check<{ fieldRef?: ObjectFieldSelector }> = ({ fieldRef }, at, report) => {
  if (fieldRef === undefined || /^metadata\.(labels|annotations)\['[^']+'\]$/.test(fieldRef.fieldPath))
    return;
  const { fieldPath } = fieldRef;
  const pathAt = at.child('fieldRef').child('fieldPath');
  if (selectableOnly.includes(fieldPath)) report.unsupported(pathAt, fieldPath, environmentFields);
  else if (!environmentFields.includes(fieldPath)) {
    const why = `error converting fieldPath: field label not supported: ${fieldPath}`;
    report.invalid(pathAt, fieldPath, why);
  }
};

/** Kubernetes knows these fields of a pod by name, but gives none of them to a variable. */
const selectableOnly = [
  'metadata.annotations',
  'metadata.labels',
  'spec.restartPolicy',
  'spec.schedulerName',
  'status.phase',
];

export const envVarSource = object(
  'io.k8s.api.core.v1.EnvVarSource',
  {
    configMapKeyRef: configMapKeySelector,
    fieldRef: objectFieldSelector,
    resourceFieldRef: resourceFieldSelector,
    secretKeyRef: secretKeySelector,
  },
  {
    doc: 'Where a value comes from.',
    check(value, at, report) {
      const set = Object.keys(value).length;
      if (set === 0) {
        report.invalid(
          at,
          '',
          'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`',
        );
      } else if (set > 1) report.invalid(at, '', 'may not have more than one field specified at a time');
      checkFieldPath(value, at, report);
    },
  },
);
export type EnvVarSource = TypeOf<typeof envVarSource>;

export const envVar = object(
  'io.k8s.api.core.v1.EnvVar',
  {
    name: required(string({ doc: "The variable's name.", check: follows(environmentName) })),
    value: string({ doc: 'Its value; $(NAME) stands for another variable.' }),
    valueFrom: envVarSource,
  },
  {
    doc: 'An environment variable of a container.',
    check({ value, valueFrom }, at, report) {
      if (value && valueFrom) {
        report.invalid(at.child('valueFrom'), '', 'may not be specified when `value` is not empty');
      }
    },
  },
);
export type EnvVar = TypeOf<typeof envVar>;

const reference = {
  name: required(string({ doc: 'Its name.', check: follows(dns1123Subdomain) })),
  optional: boolean({ doc: 'Whether it may be missing.' }),
};

export const configMapEnvSource = object('io.k8s.api.core.v1.ConfigMapEnvSource', reference);
export type ConfigMapEnvSource = TypeOf<typeof configMapEnvSource>;

export const secretEnvSource = object('io.k8s.api.core.v1.SecretEnvSource', reference);
export type SecretEnvSource = TypeOf<typeof secretEnvSource>;

export const envFromSource = object(
  'io.k8s.api.core.v1.EnvFromSource',
  {
    prefix: string({ doc: 'Put before every name.', check: follows(environmentName) }),
    configMapRef: configMapEnvSource,
    secretRef: secretEnvSource,
  },
  {
    doc: 'All entries of a ConfigMap or Secret as environment variables.',
    check: exactlyOne('source', ['configMapRef', 'secretRef']),
  },
);
export type EnvFromSource = TypeOf<typeof envFromSource>;
