/** On a pod: which of its image volumes shows a model that may change while the pod runs. */
export const modelVolumeAnnotation = 'selvage.dev/model-volume';
/** On a pod: the image that this volume shows, in place of the one that the volume names. */
export const modelReferenceAnnotation = 'selvage.dev/model-reference';
/** On a pod's template: the Deployment of its namespace whose `modelReferenceAnnotation` new pods begin with. */
export const modelOfAnnotation = 'selvage.dev/model-of';
