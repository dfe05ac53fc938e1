import { list, map, object, quantity, required, string, type TypeOf } from '../schema.ts';
import { labelSelector, objectMeta, typedLocalObjectReference, typedObjectReference } from './meta.ts';

export const volumeResourceRequirements = object('io.k8s.api.core.v1.VolumeResourceRequirements', {
  limits: map(quantity()),
  requests: map(quantity()),
});
export type VolumeResourceRequirements = TypeOf<typeof volumeResourceRequirements>;

export const persistentVolumeClaimSpec = object('io.k8s.api.core.v1.PersistentVolumeClaimSpec', {
  accessModes: list(string()),
  dataSource: typedLocalObjectReference,
  dataSourceRef: typedObjectReference,
  resources: volumeResourceRequirements,
  selector: labelSelector,
  storageClassName: string(),
  volumeAttributesClassName: string(),
  volumeMode: string(),
  volumeName: string(),
});
export type PersistentVolumeClaimSpec = TypeOf<typeof persistentVolumeClaimSpec>;

export const persistentVolumeClaimTemplate = object('io.k8s.api.core.v1.PersistentVolumeClaimTemplate', {
  metadata: objectMeta,
  spec: required(persistentVolumeClaimSpec),
});
export type PersistentVolumeClaimTemplate = TypeOf<typeof persistentVolumeClaimTemplate>;

export const ephemeralVolumeSource = object('io.k8s.api.core.v1.EphemeralVolumeSource', {
  volumeClaimTemplate: persistentVolumeClaimTemplate,
});
export type EphemeralVolumeSource = TypeOf<typeof ephemeralVolumeSource>;
