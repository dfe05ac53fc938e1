/** The annotations by which binder, scheduler and provisioners of Kubernetes agree on a volume. */
export const bindCompleted = 'pv.kubernetes.io/bind-completed';
export const boundByController = 'pv.kubernetes.io/bound-by-controller';
export const provisionedBy = 'pv.kubernetes.io/provisioned-by';
export const storageProvisioner = 'volume.kubernetes.io/storage-provisioner';
export const betaStorageProvisioner = 'volume.beta.kubernetes.io/storage-provisioner';
/** The node that the scheduler has chosen for the first pod that uses a claim. */
export const selectedNode = 'volume.kubernetes.io/selected-node';
