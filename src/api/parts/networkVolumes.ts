import { boolean, integer, list, map, object, required, string, type TypeOf } from '../schema.ts';
import { localObjectReference } from './meta.ts';

export const awsElasticBlockStoreVolumeSource = object(
  'io.k8s.api.core.v1.AWSElasticBlockStoreVolumeSource',
  {
    fsType: string(),
    partition: integer(),
    readOnly: boolean(),
    volumeID: required(string()),
  },
);
export type AWSElasticBlockStoreVolumeSource = TypeOf<typeof awsElasticBlockStoreVolumeSource>;

export const azureDiskVolumeSource = object('io.k8s.api.core.v1.AzureDiskVolumeSource', {
  cachingMode: string(),
  diskName: required(string()),
  diskURI: required(string()),
  fsType: string(),
  kind: string(),
  readOnly: boolean(),
});
export type AzureDiskVolumeSource = TypeOf<typeof azureDiskVolumeSource>;

export const azureFileVolumeSource = object('io.k8s.api.core.v1.AzureFileVolumeSource', {
  readOnly: boolean(),
  secretName: required(string()),
  shareName: required(string()),
});
export type AzureFileVolumeSource = TypeOf<typeof azureFileVolumeSource>;

export const cephFSVolumeSource = object('io.k8s.api.core.v1.CephFSVolumeSource', {
  monitors: required(list(string())),
  path: string(),
  readOnly: boolean(),
  secretFile: string(),
  secretRef: localObjectReference,
  user: string(),
});
export type CephFSVolumeSource = TypeOf<typeof cephFSVolumeSource>;

export const cinderVolumeSource = object('io.k8s.api.core.v1.CinderVolumeSource', {
  fsType: string(),
  readOnly: boolean(),
  secretRef: localObjectReference,
  volumeID: required(string()),
});
export type CinderVolumeSource = TypeOf<typeof cinderVolumeSource>;

export const fcVolumeSource = object('io.k8s.api.core.v1.FCVolumeSource', {
  fsType: string(),
  lun: integer(),
  readOnly: boolean(),
  targetWWNs: list(string()),
  wwids: list(string()),
});
export type FCVolumeSource = TypeOf<typeof fcVolumeSource>;

export const flexVolumeSource = object('io.k8s.api.core.v1.FlexVolumeSource', {
  driver: required(string()),
  fsType: string(),
  options: map(string()),
  readOnly: boolean(),
  secretRef: localObjectReference,
});
export type FlexVolumeSource = TypeOf<typeof flexVolumeSource>;

export const flockerVolumeSource = object('io.k8s.api.core.v1.FlockerVolumeSource', {
  datasetName: string(),
  datasetUUID: string(),
});
export type FlockerVolumeSource = TypeOf<typeof flockerVolumeSource>;

export const gcePersistentDiskVolumeSource = object('io.k8s.api.core.v1.GCEPersistentDiskVolumeSource', {
  fsType: string(),
  partition: integer(),
  pdName: required(string()),
  readOnly: boolean(),
});
export type GCEPersistentDiskVolumeSource = TypeOf<typeof gcePersistentDiskVolumeSource>;

export const gitRepoVolumeSource = object('io.k8s.api.core.v1.GitRepoVolumeSource', {
  directory: string(),
  repository: required(string()),
  revision: string(),
});
export type GitRepoVolumeSource = TypeOf<typeof gitRepoVolumeSource>;

export const glusterfsVolumeSource = object('io.k8s.api.core.v1.GlusterfsVolumeSource', {
  endpoints: required(string()),
  path: required(string()),
  readOnly: boolean(),
});
export type GlusterfsVolumeSource = TypeOf<typeof glusterfsVolumeSource>;

export const iscsiVolumeSource = object('io.k8s.api.core.v1.ISCSIVolumeSource', {
  chapAuthDiscovery: boolean(),
  chapAuthSession: boolean(),
  fsType: string(),
  initiatorName: string(),
  iqn: required(string()),
  iscsiInterface: string(),
  lun: required(integer()),
  portals: list(string()),
  readOnly: boolean(),
  secretRef: localObjectReference,
  targetPortal: required(string()),
});
export type ISCSIVolumeSource = TypeOf<typeof iscsiVolumeSource>;

export const photonPersistentDiskVolumeSource = object(
  'io.k8s.api.core.v1.PhotonPersistentDiskVolumeSource',
  {
    fsType: string(),
    pdID: required(string()),
  },
);
export type PhotonPersistentDiskVolumeSource = TypeOf<typeof photonPersistentDiskVolumeSource>;

export const portworxVolumeSource = object('io.k8s.api.core.v1.PortworxVolumeSource', {
  fsType: string(),
  readOnly: boolean(),
  volumeID: required(string()),
});
export type PortworxVolumeSource = TypeOf<typeof portworxVolumeSource>;

export const quobyteVolumeSource = object('io.k8s.api.core.v1.QuobyteVolumeSource', {
  group: string(),
  readOnly: boolean(),
  registry: required(string()),
  tenant: string(),
  user: string(),
  volume: required(string()),
});
export type QuobyteVolumeSource = TypeOf<typeof quobyteVolumeSource>;

export const rbdVolumeSource = object('io.k8s.api.core.v1.RBDVolumeSource', {
  fsType: string(),
  image: required(string()),
  keyring: string(),
  monitors: required(list(string())),
  pool: string(),
  readOnly: boolean(),
  secretRef: localObjectReference,
  user: string(),
});
export type RBDVolumeSource = TypeOf<typeof rbdVolumeSource>;

export const scaleIOVolumeSource = object('io.k8s.api.core.v1.ScaleIOVolumeSource', {
  fsType: string(),
  gateway: required(string()),
  protectionDomain: string(),
  readOnly: boolean(),
  secretRef: required(localObjectReference),
  sslEnabled: boolean(),
  storageMode: string(),
  storagePool: string(),
  system: required(string()),
  volumeName: string(),
});
export type ScaleIOVolumeSource = TypeOf<typeof scaleIOVolumeSource>;

export const storageOSVolumeSource = object('io.k8s.api.core.v1.StorageOSVolumeSource', {
  fsType: string(),
  readOnly: boolean(),
  secretRef: localObjectReference,
  volumeName: string(),
  volumeNamespace: string(),
});
export type StorageOSVolumeSource = TypeOf<typeof storageOSVolumeSource>;

export const vsphereVirtualDiskVolumeSource = object('io.k8s.api.core.v1.VsphereVirtualDiskVolumeSource', {
  fsType: string(),
  storagePolicyID: string(),
  storagePolicyName: string(),
  volumePath: required(string()),
});
export type VsphereVirtualDiskVolumeSource = TypeOf<typeof vsphereVirtualDiskVolumeSource>;
