import type { PersistentVolume } from '../../api/kinds/persistentVolume.ts';
import type { PersistentVolumeClaim } from '../../api/kinds/persistentVolumeClaim.ts';
import type { StorageClass } from '../../api/kinds/storageClass.ts';
import { defaultClassOf, storageClassOf } from '../../api/storage-class.ts';
import { bindCompleted, selectedNode } from './annotations.ts';
import { findVolume, isKeptFor, mismatchOf } from './match.ts';

export interface ClaimState {
  claim: PersistentVolumeClaim;
  volumes: readonly PersistentVolume[];
  classes: readonly StorageClass[];
}

export interface Told {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

/** What is to be done about a claim. */
export type ClaimPlan =
  | { kind: 'bind'; volume: PersistentVolume }
  /** It was made before there was a default class, and gets it now. */
  | { kind: 'assignClass'; name: string }
  | { kind: 'provision'; provisioner: string; tell: Told }
  | { kind: 'wait'; tell?: Told }
  | { kind: 'lost'; tell: Told };

/** https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding */
export function planClaim(state: ClaimState): ClaimPlan {
  const { claim, volumes } = state;
  const { volumeName } = claim.spec!;
  if (claim.metadata?.annotations?.[bindCompleted]) return planBound(claim, volumes);
  if (!volumeName) return planUnbound(state);
  const volume = volumes.find(({ metadata }) => metadata?.name === volumeName);
  if (!volume) return { kind: 'wait' };
  if (isKeptFor(volume, claim)) return { kind: 'bind', volume };
  if (volume.spec?.claimRef) {
    return wait('Warning', 'FailedBinding', `volume "${volumeName}" already bound to a different claim.`);
  }
  const why = mismatchOf(volume, claim);
  if (why === undefined) return { kind: 'bind', volume };
  return wait('Warning', 'VolumeMismatch', `Cannot bind to requested volume "${volumeName}": ${why}`);
}

function planUnbound({ claim, volumes, classes }: ClaimState): ClaimPlan {
  const className = storageClassOf(claim);
  const byDefault = className === undefined ? defaultClassOf(classes)?.metadata?.name : undefined;
  if (byDefault) return { kind: 'assignClass', name: byDefault };
  const storageClass = classes.find(({ metadata }) => metadata?.name === className);
  const isDelayed = storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
  const volume = findVolume(claim, volumes, { isDelayed });
  if (volume) return { kind: 'bind', volume };
  if (isDelayed && !claim.metadata?.annotations?.[selectedNode]) {
    const message = 'waiting for first consumer to be created before binding';
    return wait('Normal', 'WaitForFirstConsumer', message);
  }
  if (!className) {
    const message = 'no persistent volumes available for this claim and no storage class is set';
    return wait('Normal', 'FailedBinding', message);
  }
  if (!storageClass) {
    return wait('Warning', 'ProvisioningFailed', `storageclass.storage.k8s.io "${className}" not found`);
  }
  return provision(storageClass.provisioner);
}

function provision(provisioner: string): ClaimPlan {
  if (provisioner.startsWith('kubernetes.io/')) {
    return wait('Warning', 'ProvisioningFailed', `no volume plugin matched name: ${provisioner}`);
  }
  const message =
    `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the ` +
    'system administrator. If volume creation is delayed, please verify that the provisioner is running and ' +
    'correctly registered.';
  return {
    kind: 'provision',
    provisioner,
    tell: { type: 'Normal', reason: 'ExternalProvisioning', message },
  };
}

/** A claim that was bound once never gets another volume: its data would not be there. */
function planBound(claim: PersistentVolumeClaim, volumes: readonly PersistentVolume[]): ClaimPlan {
  const { volumeName } = claim.spec!;
  const lost = (reason: string, message: string): ClaimPlan => ({
    kind: 'lost',
    tell: { type: 'Warning', reason, message },
  });
  if (!volumeName) {
    return lost(
      'ClaimLost',
      'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!',
    );
  }
  const volume = volumes.find(({ metadata }) => metadata?.name === volumeName);
  if (!volume) {
    return lost('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
  }
  if (!volume.spec?.claimRef || isKeptFor(volume, claim)) return { kind: 'bind', volume };
  return lost('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
}

function wait(type: Told['type'], reason: string, message: string): ClaimPlan {
  return { kind: 'wait', tell: { type, reason, message } };
}
