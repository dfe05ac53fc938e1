/*
 * What the provisioner of the class `local-path` and the nodes that keep its folders agree on: volumes carry the node in
 * a label and a finalizer that only the node takes away, once the folder is gone.
 */

/** The provisioner's name; also the finalizer of its volumes. */
export const localPathProvisioner = 'selvage.dev/local-path';
/** On a volume: the value of the label `kubernetes.io/hostname` of the node whose folder it is. */
export const volumeNodeLabel = 'selvage.dev/node';
/** On a Node: the folder below which its volumes lie. */
export const volumesFolderAnnotation = 'selvage.dev/volumes-folder';
