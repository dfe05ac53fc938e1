import { dns1123Subdomain } from '../names.ts';
import {
  boolean,
  type Check,
  integer,
  list,
  map,
  object,
  refine,
  required,
  string,
  type TypeOf,
} from '../schema.ts';
import { objectReference } from './meta.ts';
import {
  awsElasticBlockStoreVolumeSource,
  azureDiskVolumeSource,
  fcVolumeSource,
  flockerVolumeSource,
  gcePersistentDiskVolumeSource,
  photonPersistentDiskVolumeSource,
  portworxVolumeSource,
  quobyteVolumeSource,
  vsphereVirtualDiskVolumeSource,
} from './networkVolumes.ts';
import { hostPathVolumeSource, nfsVolumeSource } from './volume.ts';

/** A Secret in any namespace: a PersistentVolume lies in none. */
export const secretReference = object(
  'io.k8s.api.core.v1.SecretReference',
  { name: string({ doc: 'Its name.' }), namespace: string({ doc: 'Its namespace.' }) },
  { listType: 'atomic' },
);

export const localVolumeSource = object('io.k8s.api.core.v1.LocalVolumeSource', {
  fsType: string({ doc: 'The file system, where the path is a block device.' }),
  path: required(
    string({
      doc: 'The folder or device on the node.',
      check: (path, at, report) => {
        if (path.split('/').includes('..')) report.invalid(at, path, "must not contain '..'");
      },
    }),
  ),
});
export type LocalVolumeSource = TypeOf<typeof localVolumeSource>;

const azureFile = object('io.k8s.api.core.v1.AzureFilePersistentVolumeSource', {
  readOnly: boolean(),
  secretName: required(string()),
  secretNamespace: string(),
  shareName: required(string()),
});

const cephfs = object('io.k8s.api.core.v1.CephFSPersistentVolumeSource', {
  monitors: required(list(string())),
  path: string(),
  readOnly: boolean(),
  secretFile: string(),
  secretRef: secretReference,
  user: string(),
});

const cinder = object('io.k8s.api.core.v1.CinderPersistentVolumeSource', {
  fsType: string(),
  readOnly: boolean(),
  secretRef: secretReference,
  volumeID: required(string()),
});

const checkDriverName: Check<string> = (name, at, report) => {
  for (const wrong of dns1123Subdomain(name.toLowerCase())) report.invalid(at, name, wrong);
};

const csi = object('io.k8s.api.core.v1.CSIPersistentVolumeSource', {
  controllerExpandSecretRef: secretReference,
  controllerPublishSecretRef: secretReference,
  driver: required(string({ doc: 'The driver that provides it.', check: checkDriverName })),
  fsType: string(),
  nodeExpandSecretRef: secretReference,
  nodePublishSecretRef: secretReference,
  nodeStageSecretRef: secretReference,
  readOnly: boolean(),
  volumeAttributes: map(string()),
  volumeHandle: required(string({ doc: 'What the driver calls it.' })),
});

const flexVolume = object('io.k8s.api.core.v1.FlexPersistentVolumeSource', {
  driver: required(string()),
  fsType: string(),
  options: map(string()),
  readOnly: boolean(),
  secretRef: secretReference,
});

const glusterfs = object('io.k8s.api.core.v1.GlusterfsPersistentVolumeSource', {
  endpoints: required(string()),
  endpointsNamespace: string(),
  path: required(string()),
  readOnly: boolean(),
});

const iscsi = object('io.k8s.api.core.v1.ISCSIPersistentVolumeSource', {
  chapAuthDiscovery: boolean(),
  chapAuthSession: boolean(),
  fsType: string(),
  initiatorName: string(),
  iqn: required(string()),
  iscsiInterface: string({ default: 'default' }),
  lun: required(integer()),
  portals: list(string()),
  readOnly: boolean(),
  secretRef: secretReference,
  targetPortal: required(string()),
});

const rbd = object('io.k8s.api.core.v1.RBDPersistentVolumeSource', {
  fsType: string(),
  image: required(string()),
  keyring: string({ default: '/etc/ceph/keyring' }),
  monitors: required(list(string())),
  pool: string({ default: 'rbd' }),
  readOnly: boolean(),
  secretRef: secretReference,
  user: string({ default: 'admin' }),
});

const scaleIO = object('io.k8s.api.core.v1.ScaleIOPersistentVolumeSource', {
  fsType: string({ default: 'xfs' }),
  gateway: required(string()),
  protectionDomain: string(),
  readOnly: boolean(),
  secretRef: required(secretReference),
  sslEnabled: boolean(),
  storageMode: string({ default: 'ThinProvisioned' }),
  storagePool: string(),
  system: required(string()),
  volumeName: string(),
});

const storageos = object('io.k8s.api.core.v1.StorageOSPersistentVolumeSource', {
  fsType: string(),
  readOnly: boolean(),
  secretRef: objectReference,
  volumeName: string(),
  volumeNamespace: string(),
});

/** Where a PersistentVolume's data lies: one of these. */
export const persistentVolumeSources = {
  awsElasticBlockStore: awsElasticBlockStoreVolumeSource,
  azureDisk: azureDiskVolumeSource,
  azureFile,
  cephfs,
  cinder,
  csi: refine(csi, { doc: 'A volume of a CSI driver.' }),
  fc: fcVolumeSource,
  flexVolume,
  flocker: flockerVolumeSource,
  gcePersistentDisk: gcePersistentDiskVolumeSource,
  glusterfs,
  hostPath: refine(hostPathVolumeSource, { doc: 'A path of whichever node the pod is on.' }),
  iscsi,
  local: refine(localVolumeSource, { doc: 'A path of the node that nodeAffinity names.' }),
  nfs: refine(nfsVolumeSource, { doc: 'A folder of an NFS server.' }),
  photonPersistentDisk: photonPersistentDiskVolumeSource,
  portworxVolume: portworxVolumeSource,
  quobyte: quobyteVolumeSource,
  rbd,
  scaleIO,
  storageos,
  vsphereVolume: vsphereVirtualDiskVolumeSource,
};
