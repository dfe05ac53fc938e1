import { absolutePath, follows, relativePath } from '../checks.ts';
import { dns1123Label } from '../names.ts';
import {
  boolean,
  integer,
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
import { objectFieldSelector, resourceFieldSelector } from './environment.ts';
import { defaultPullPolicy } from './imageReference.ts';
import { labelSelector, localObjectReference } from './meta.ts';
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
import { ephemeralVolumeSource } from './volumeClaim.ts';

const defaultMode = integer({
  doc: 'The mode of its files, as a number.',
  default: 0o644,
  min: 0,
  max: 0o777,
});

export const keyToPath = object('io.k8s.api.core.v1.KeyToPath', {
  key: required(string({ doc: 'The entry.' })),
  mode: integer({ doc: 'The mode of the file.', min: 0, max: 0o777 }),
  path: required(string({ doc: 'The file below the mount path.', check: relativePath })),
});
export type KeyToPath = TypeOf<typeof keyToPath>;

export const configMapVolumeSource = object('io.k8s.api.core.v1.ConfigMapVolumeSource', {
  defaultMode,
  items: list(keyToPath, { doc: 'Which entries, and as which files; all if absent.' }),
  name: required(string({ doc: 'Its name.' })),
  optional: boolean({ doc: 'Whether it may be missing.' }),
});
export type ConfigMapVolumeSource = TypeOf<typeof configMapVolumeSource>;

export const secretVolumeSource = object('io.k8s.api.core.v1.SecretVolumeSource', {
  defaultMode,
  items: list(keyToPath, { doc: 'Which entries, and as which files; all if absent.' }),
  optional: boolean({ doc: 'Whether it may be missing.' }),
  secretName: required(string({ doc: 'Its name.' })),
});
export type SecretVolumeSource = TypeOf<typeof secretVolumeSource>;

export const emptyDirVolumeSource = object('io.k8s.api.core.v1.EmptyDirVolumeSource', {
  medium: string({ doc: 'Memory keeps it in RAM.' }),
  sizeLimit: quantity({ doc: 'The most that it may hold.' }),
});
export type EmptyDirVolumeSource = TypeOf<typeof emptyDirVolumeSource>;

const hostPathTypes = [
  ...['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'],
] as const;

export const hostPathVolumeSource = object('io.k8s.api.core.v1.HostPathVolumeSource', {
  path: required(
    string({
      doc: 'The path on the node.',
      check(path, at, report) {
        if (path.split('/').includes('..')) report.invalid(at, path, "must not contain '..'");
      },
    }),
  ),
  type: oneOf(hostPathTypes, { doc: 'What must be there, e.g. Directory.', default: '' }),
});
export type HostPathVolumeSource = TypeOf<typeof hostPathVolumeSource>;

export const imageVolumeSource = object('io.k8s.api.core.v1.ImageVolumeSource', {
  pullPolicy: oneOf(['Always', 'IfNotPresent', 'Never'], {
    doc: 'When to pull it.',
    default: ({ reference }) => defaultPullPolicy(reference),
  }),
  reference: required(string({ doc: 'The image or artifact.' })),
});
export type ImageVolumeSource = TypeOf<typeof imageVolumeSource>;

export const persistentVolumeClaimVolumeSource = object(
  'io.k8s.api.core.v1.PersistentVolumeClaimVolumeSource',
  {
    claimName: required(string({ doc: 'The PersistentVolumeClaim.' })),
    readOnly: boolean(),
  },
);
export type PersistentVolumeClaimVolumeSource = TypeOf<typeof persistentVolumeClaimVolumeSource>;

export const downwardAPIVolumeFile = object('io.k8s.api.core.v1.DownwardAPIVolumeFile', {
  fieldRef: objectFieldSelector,
  mode: integer({ doc: 'The mode of the file.', min: 0, max: 0o777 }),
  path: required(string({ doc: 'The file below the mount path.', check: relativePath })),
  resourceFieldRef: resourceFieldSelector,
});
export type DownwardAPIVolumeFile = TypeOf<typeof downwardAPIVolumeFile>;

export const downwardAPIVolumeSource = object('io.k8s.api.core.v1.DownwardAPIVolumeSource', {
  defaultMode,
  items: list(downwardAPIVolumeFile),
});
export type DownwardAPIVolumeSource = TypeOf<typeof downwardAPIVolumeSource>;

export const serviceAccountTokenProjection = object('io.k8s.api.core.v1.ServiceAccountTokenProjection', {
  audience: string(),
  expirationSeconds: integer({ doc: 'How long the token is valid.', default: 3600 }),
  path: required(string({ doc: 'The file below the mount path.', check: relativePath })),
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
  path: required(string({ doc: 'The file below the mount path.', check: relativePath })),
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
  defaultMode,
  sources: list(volumeProjection),
});
export type ProjectedVolumeSource = TypeOf<typeof projectedVolumeSource>;

export const nfsVolumeSource = object('io.k8s.api.core.v1.NFSVolumeSource', {
  path: required(string({ doc: 'The exported path.', check: absolutePath })),
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

export const volume = object(
  'io.k8s.api.core.v1.Volume',
  {
    name: required(string({ doc: 'A name for volumeMounts to use.', check: follows(dns1123Label) })),
    awsElasticBlockStore: awsElasticBlockStoreVolumeSource,
    azureDisk: azureDiskVolumeSource,
    azureFile: azureFileVolumeSource,
    cephfs: cephFSVolumeSource,
    cinder: cinderVolumeSource,
    configMap: refine(configMapVolumeSource, { doc: 'The entries of a ConfigMap as files.' }),
    csi: csiVolumeSource,
    downwardAPI: refine(downwardAPIVolumeSource, { doc: 'Fields of the pod as files.' }),
    emptyDir: refine(emptyDirVolumeSource, { doc: 'An empty folder that lives as long as the pod.' }),
    ephemeral: ephemeralVolumeSource,
    fc: fcVolumeSource,
    flexVolume: flexVolumeSource,
    flocker: flockerVolumeSource,
    gcePersistentDisk: gcePersistentDiskVolumeSource,
    gitRepo: gitRepoVolumeSource,
    glusterfs: glusterfsVolumeSource,
    hostPath: refine(hostPathVolumeSource, { doc: 'A path of the node.' }),
    image: refine(imageVolumeSource, { doc: 'The content of an OCI image or artifact, read-only.' }),
    iscsi: iscsiVolumeSource,
    nfs: nfsVolumeSource,
    persistentVolumeClaim: refine(persistentVolumeClaimVolumeSource, { doc: 'A PersistentVolumeClaim.' }),
    photonPersistentDisk: photonPersistentDiskVolumeSource,
    portworxVolume: portworxVolumeSource,
    projected: refine(projectedVolumeSource, { doc: 'Several sources in one folder.' }),
    quobyte: quobyteVolumeSource,
    rbd: rbdVolumeSource,
    scaleIO: scaleIOVolumeSource,
    secret: refine(secretVolumeSource, { doc: 'The entries of a Secret as files.' }),
    storageos: storageOSVolumeSource,
    vsphereVolume: vsphereVirtualDiskVolumeSource,
  },
  {
    doc: 'A folder that containers of the pod can see.',
    retainKeys: true,
    complete(value) {
      if (Object.keys(value).length === 1) value.emptyDir = {};
    },
    check(value, at, report) {
      const sources = Object.keys(value).filter((name) => name !== 'name');
      if (sources.length === 0) report.required(at, 'must specify a volume type');
      for (const source of sources.slice(1)) {
        report.forbidden(at.child(source), 'may not specify more than 1 volume type');
      }
    },
  },
);
export type Volume = TypeOf<typeof volume>;
