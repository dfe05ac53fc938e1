import { boolean, object, quantity, required, string, type TypeOf } from '../schema.ts';

export const objectFieldSelector = object(
  'io.k8s.api.core.v1.ObjectFieldSelector',
  {
    apiVersion: string(),
    fieldPath: required(string()),
  },
  { listType: 'atomic' },
);
export type ObjectFieldSelector = TypeOf<typeof objectFieldSelector>;

export const resourceFieldSelector = object(
  'io.k8s.api.core.v1.ResourceFieldSelector',
  {
    containerName: string(),
    divisor: quantity(),
    resource: required(string()),
  },
  { listType: 'atomic' },
);
export type ResourceFieldSelector = TypeOf<typeof resourceFieldSelector>;

export const configMapKeySelector = object(
  'io.k8s.api.core.v1.ConfigMapKeySelector',
  {
    key: required(string()),
    name: string(),
    optional: boolean(),
  },
  { listType: 'atomic' },
);
export type ConfigMapKeySelector = TypeOf<typeof configMapKeySelector>;

export const secretKeySelector = object(
  'io.k8s.api.core.v1.SecretKeySelector',
  {
    key: required(string()),
    name: string(),
    optional: boolean(),
  },
  { listType: 'atomic' },
);
export type SecretKeySelector = TypeOf<typeof secretKeySelector>;

export const envVarSource = object('io.k8s.api.core.v1.EnvVarSource', {
  configMapKeyRef: configMapKeySelector,
  fieldRef: objectFieldSelector,
  resourceFieldRef: resourceFieldSelector,
  secretKeyRef: secretKeySelector,
});
export type EnvVarSource = TypeOf<typeof envVarSource>;

export const envVar = object('io.k8s.api.core.v1.EnvVar', {
  name: required(string()),
  value: string(),
  valueFrom: envVarSource,
});
export type EnvVar = TypeOf<typeof envVar>;

export const configMapEnvSource = object('io.k8s.api.core.v1.ConfigMapEnvSource', {
  name: string(),
  optional: boolean(),
});
export type ConfigMapEnvSource = TypeOf<typeof configMapEnvSource>;

export const secretEnvSource = object('io.k8s.api.core.v1.SecretEnvSource', {
  name: string(),
  optional: boolean(),
});
export type SecretEnvSource = TypeOf<typeof secretEnvSource>;

export const envFromSource = object('io.k8s.api.core.v1.EnvFromSource', {
  configMapRef: configMapEnvSource,
  prefix: string(),
  secretRef: secretEnvSource,
});
export type EnvFromSource = TypeOf<typeof envFromSource>;
