import type { PersistentVolume } from '../../api/kinds/persistentVolume.ts';
import { type PersistentVolumeClaim, persistentVolumeClaim } from '../../api/kinds/persistentVolumeClaim.ts';
import type { StorageClass } from '../../api/kinds/storageClass.ts';
import { storageClass } from '../../api/kinds/storageClass.ts';
import { compareQuantities } from '../../api/quantity.ts';
import { defaultClassOf, storageClassOf } from '../../api/storage-class.ts';
import type { Store } from '../../store/store.ts';
import { forbidden } from '../failures.ts';
import { prefixOf } from '../stored.ts';
import type { Strategy } from './strategy.ts';

const claimProtection = 'kubernetes.io/pvc-protection';
const volumeProtection = 'kubernetes.io/pv-protection';

/** Strategies by resource: what Kubernetes' admission of storage does (protection, the default class, resizing). */
export function storageStrategies(store: Store): [string, Strategy][] {
  const classes = () => store.list(prefixOf(storageClass)).items.map(({ value }) => value as StorageClass);
  return [
    ['persistentvolumes', volumeStrategy as Strategy],
    ['persistentvolumeclaims', createClaimStrategy(classes) as Strategy],
  ];
}

const volumeStrategy: Strategy<PersistentVolume> = {
  prepareCreate(volume) {
    protect(volume, volumeProtection);
  },
};

/** `classes` are the StorageClasses that there are now. */
export function createClaimStrategy(classes: () => StorageClass[]): Strategy<PersistentVolumeClaim> {
  return {
    prepareCreate(claim) {
      protect(claim, claimProtection);
      if (!claim.spec || storageClassOf(claim) !== undefined) return;
      const name = defaultClassOf(classes())?.metadata?.name;
      if (name) claim.spec.storageClassName = name;
    },
    admit(next, previous) {
      if (previous && hasGrown(next, previous)) checkResize(next, previous, classes());
    },
  };
}

function protect(object: PersistentVolume | PersistentVolumeClaim, finalizer: string): void {
  const finalizers = object.metadata?.finalizers ?? [];
  if (!finalizers.includes(finalizer)) {
    object.metadata = { ...object.metadata, finalizers: [...finalizers, finalizer] };
  }
}

function hasGrown(next: PersistentVolumeClaim, previous: PersistentVolumeClaim): boolean {
  const size = ({ spec }: PersistentVolumeClaim) => spec?.resources?.requests?.storage;
  const [after, before] = [size(next), size(previous)];
  return after !== undefined && before !== undefined && compareQuantities(after, before) > 0;
}

function checkResize(
  claim: PersistentVolumeClaim,
  previous: PersistentVolumeClaim,
  classes: readonly StorageClass[],
): void {
  const name = claim.metadata?.name ?? '';
  if (previous.status?.phase !== 'Bound') {
    throw forbidden(persistentVolumeClaim, name, 'only bound persistent volume claims can be expanded');
  }
  const own = classes.find(({ metadata }) => metadata?.name === storageClassOf(previous));
  if (own?.allowVolumeExpansion) return;
  const why =
    'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize';
  throw forbidden(persistentVolumeClaim, name, why);
}
