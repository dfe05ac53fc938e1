import type { Column } from '../kind.ts';
import type { PersistentVolume } from '../kinds/persistentVolume.ts';
import type { PersistentVolumeClaim } from '../kinds/persistentVolumeClaim.ts';
import { storageClassOf } from '../storage-class.ts';
import { ageColumn, nameColumn } from '../table.ts';

const shortModes: Record<string, string> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

/** In Kubernetes' own order, each once. */
function accessModesText(modes: readonly string[] = []): string {
  return Object.entries(shortModes)
    .filter(([mode]) => modes.includes(mode))
    .map(([, short]) => short)
    .join(',');
}

/** What `kubectl get pv` shows. */
export const persistentVolumeColumns: Column<PersistentVolume>[] = [
  nameColumn,
  { name: 'Capacity', doc: 'Its size.', value: ({ spec }) => spec?.capacity?.storage ?? '' },
  {
    name: 'Access Modes',
    doc: 'How it can be mounted.',
    value: ({ spec }) => accessModesText(spec?.accessModes),
  },
  {
    name: 'Reclaim Policy',
    doc: 'What becomes of it when its claim is gone.',
    value: ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? '',
  },
  {
    name: 'Status',
    doc: 'Whether it is free or bound.',
    value: ({ metadata, status }) => (metadata?.deletionTimestamp ? 'Terminating' : (status?.phase ?? '')),
  },
  {
    name: 'Claim',
    doc: 'The claim that it is bound to.',
    value: ({ spec }) => (spec?.claimRef ? `${spec.claimRef.namespace}/${spec.claimRef.name}` : ''),
  },
  { name: 'StorageClass', doc: 'Its StorageClass.', value: (volume) => storageClassOf(volume) ?? '' },
  {
    name: 'VolumeAttributesClass',
    doc: 'Its VolumeAttributesClass.',
    value: ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>',
  },
  { name: 'Reason', doc: 'Why it has failed.', value: ({ status }) => status?.reason ?? '' },
  ageColumn,
  {
    name: 'VolumeMode',
    priority: 1,
    doc: 'A file system or a block device.',
    value: ({ spec }) => spec?.volumeMode ?? '<unset>',
  },
];

/** What `kubectl get pvc` shows. */
export const persistentVolumeClaimColumns: Column<PersistentVolumeClaim>[] = [
  nameColumn,
  {
    name: 'Status',
    doc: 'Whether it is bound.',
    value: ({ metadata, status }) => (metadata?.deletionTimestamp ? 'Terminating' : (status?.phase ?? '')),
  },
  { name: 'Volume', doc: 'The volume that it is bound to.', value: ({ spec }) => spec?.volumeName ?? '' },
  {
    name: 'Capacity',
    doc: 'The size of the volume.',
    value: ({ spec, status }) => (spec?.volumeName ? (status?.capacity?.storage ?? '0') : ''),
  },
  {
    name: 'Access Modes',
    doc: 'How the volume can be mounted.',
    value: ({ spec, status }) => (spec?.volumeName ? accessModesText(status?.accessModes) : ''),
  },
  { name: 'StorageClass', doc: 'Its StorageClass.', value: (claim) => storageClassOf(claim) ?? '' },
  {
    name: 'VolumeAttributesClass',
    doc: 'Its VolumeAttributesClass.',
    value: ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>',
  },
  ageColumn,
  {
    name: 'VolumeMode',
    priority: 1,
    doc: 'A file system or a block device.',
    value: ({ spec }) => spec?.volumeMode ?? '<unset>',
  },
];
