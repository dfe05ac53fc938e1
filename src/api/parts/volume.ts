import {
  boolean,
  integer,
  list,
  map,
  object,
  oneOf,
  quantity,
  required,
  string,
  type TypeOf,
} from '../schema.ts';
import { objectFieldSelector, resourceFieldSelector } from './environment.ts';
import {
  labelSelector,
  localObjectReference,
  objectMeta,
  typedLocalObjectReference,
  typedObjectReference,
} from './meta.ts';
import {
  awsElasticBlockStoreVolumeSource,
  azureDiskVolumeSource,
  azureFileVolumeSource,
  cephFSVolumeSource,
  cinderVolumeSource,
  fcVolumeSource,
  flexVolumeSource,
  flockerVolumeSource,
  gcePersistentDiskVolumeSource,
  gitRepoVolumeSource,
  glusterfsVolumeSource,
  iscsiVolumeSource,
  photonPersistentDiskVolumeSource,
  portworxVolumeSource,
  quobyteVolumeSource,
  rbdVolumeSource,
  scaleIOVolumeSource,
  storageOSVolumeSource,
  vsphereVirtualDiskVolumeSource,
} from './networkVolumes.ts';

export const keyToPath = object('io.k8s.api.core.v1.KeyToPath', {
  key: required(string()),
  mode: integer(),
  path: required(string()),
});
export type KeyToPath = TypeOf<typeof keyToPath>;

export const configMapVolumeSource = object('io.k8s.api.core.v1.ConfigMapVolumeSource', {
  defaultMode: integer(),
  items: list(keyToPath),
  name: string(),
  optional: boolean(),
});
export type ConfigMapVolumeSource = TypeOf<typeof configMapVolumeSource>;

export const secretVolumeSource = object('io.k8s.api.core.v1.SecretVolumeSource', {
  defaultMode: integer(),
  items: list(keyToPath),
  optional: boolean(),
  secretName: string(),
});
export type SecretVolumeSource = TypeOf<typeof secretVolumeSource>;

export const emptyDirVolumeSource = object('io.k8s.api.core.v1.EmptyDirVolumeSource', {
  medium: string(),
  sizeLimit: quantity(),
});
export type EmptyDirVolumeSource = TypeOf<typeof emptyDirVolumeSource>;

export const hostPathVolumeSource = object('io.k8s.api.core.v1.HostPathVolumeSource', {
  path: required(string()),
  type: string(),
});
export type HostPathVolumeSource = TypeOf<typeof hostPathVolumeSource>;

export const imageVolumeSource = object('io.k8s.api.core.v1.ImageVolumeSource', {
  pullPolicy: oneOf(['Always', 'IfNotPresent', 'Never']),
  reference: string(),
});
export type ImageVolumeSource = TypeOf<typeof imageVolumeSource>;

export const persistentVolumeClaimVolumeSource = object(
  'io.k8s.api.core.v1.PersistentVolumeClaimVolumeSource',
  {
    claimName: required(string()),
    readOnly: boolean(),
  },
);
export type PersistentVolumeClaimVolumeSource = TypeOf<typeof persistentVolumeClaimVolumeSource>;

export const downwardAPIVolumeFile = object('io.k8s.api.core.v1.DownwardAPIVolumeFile', {
  fieldRef: objectFieldSelector,
  mode: integer(),
  path: required(string()),
  resourceFieldRef: resourceFieldSelector,
});
export type DownwardAPIVolumeFile = TypeOf<typeof downwardAPIVolumeFile>;

export const downwardAPIVolumeSource = object('io.k8s.api.core.v1.DownwardAPIVolumeSource', {
  defaultMode: integer(),
  items: list(downwardAPIVolumeFile),
});
export type DownwardAPIVolumeSource = TypeOf<typeof downwardAPIVolumeSource>;

export const serviceAccountTokenProjection = object('io.k8s.api.core.v1.ServiceAccountTokenProjection', {
  audience: string(),
  expirationSeconds: integer(),
  path: required(string()),
});
export type ServiceAccountTokenProjection = TypeOf<typeof serviceAccountTokenProjection>;

export const configMapProjection = object('io.k8s.api.core.v1.ConfigMapProjection', {
  items: list(keyToPath),
  name: string(),
  optional: boolean(),
});
export type ConfigMapProjection = TypeOf<typeof configMapProjection>;

export const secretProjection = object('io.k8s.api.core.v1.SecretProjection', {
  items: list(keyToPath),
  name: string(),
  optional: boolean(),
});
export type SecretProjection = TypeOf<typeof secretProjection>;

export const downwardAPIProjection = object('io.k8s.api.core.v1.DownwardAPIProjection', {
  items: list(downwardAPIVolumeFile),
});
export type DownwardAPIProjection = TypeOf<typeof downwardAPIProjection>;

export const clusterTrustBundleProjection = object('io.k8s.api.core.v1.ClusterTrustBundleProjection', {
  labelSelector,
  name: string(),
  optional: boolean(),
  path: required(string()),
  signerName: string(),
});
export type ClusterTrustBundleProjection = TypeOf<typeof clusterTrustBundleProjection>;

export const volumeProjection = object('io.k8s.api.core.v1.VolumeProjection', {
  clusterTrustBundle: clusterTrustBundleProjection,
  configMap: configMapProjection,
  downwardAPI: downwardAPIProjection,
  secret: secretProjection,
  serviceAccountToken: serviceAccountTokenProjection,
});
export type VolumeProjection = TypeOf<typeof volumeProjection>;

export const projectedVolumeSource = object('io.k8s.api.core.v1.ProjectedVolumeSource', {
  defaultMode: integer(),
  sources: list(volumeProjection),
});
export type ProjectedVolumeSource = TypeOf<typeof projectedVolumeSource>;

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

export const nfsVolumeSource = object('io.k8s.api.core.v1.NFSVolumeSource', {
  path: required(string()),
  readOnly: boolean(),
  server: required(string()),
});
export type NFSVolumeSource = TypeOf<typeof nfsVolumeSource>;

export const csiVolumeSource = object('io.k8s.api.core.v1.CSIVolumeSource', {
  driver: required(string()),
  fsType: string(),
  nodePublishSecretRef: localObjectReference,
  readOnly: boolean(),
  volumeAttributes: map(string()),
});
export type CSIVolumeSource = TypeOf<typeof csiVolumeSource>;

export const volume = object('io.k8s.api.core.v1.Volume', {
  awsElasticBlockStore: awsElasticBlockStoreVolumeSource,
  azureDisk: azureDiskVolumeSource,
  azureFile: azureFileVolumeSource,
  cephfs: cephFSVolumeSource,
  cinder: cinderVolumeSource,
  configMap: configMapVolumeSource,
  csi: csiVolumeSource,
  downwardAPI: downwardAPIVolumeSource,
  emptyDir: emptyDirVolumeSource,
  ephemeral: ephemeralVolumeSource,
  fc: fcVolumeSource,
  flexVolume: flexVolumeSource,
  flocker: flockerVolumeSource,
  gcePersistentDisk: gcePersistentDiskVolumeSource,
  gitRepo: gitRepoVolumeSource,
  glusterfs: glusterfsVolumeSource,
  hostPath: hostPathVolumeSource,
  image: imageVolumeSource,
  iscsi: iscsiVolumeSource,
  name: required(string()),
  nfs: nfsVolumeSource,
  persistentVolumeClaim: persistentVolumeClaimVolumeSource,
  photonPersistentDisk: photonPersistentDiskVolumeSource,
  portworxVolume: portworxVolumeSource,
  projected: projectedVolumeSource,
  quobyte: quobyteVolumeSource,
  rbd: rbdVolumeSource,
  scaleIO: scaleIOVolumeSource,
  secret: secretVolumeSource,
  storageos: storageOSVolumeSource,
  vsphereVolume: vsphereVirtualDiskVolumeSource,
});
export type Volume = TypeOf<typeof volume>;
