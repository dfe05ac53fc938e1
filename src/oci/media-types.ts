/** Media types of the OCI image specification v1.1 and of Docker's image manifest v2 schema 2. */
export const mediaType = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerManifestList: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const;

const indexTypes: string[] = [mediaType.ociIndex, mediaType.dockerManifestList];
const manifestTypes: string[] = [mediaType.ociManifest, mediaType.dockerManifest];

export const isIndexType = (type: string): boolean => indexTypes.includes(type);
export const isManifestType = (type: string): boolean => manifestTypes.includes(type);

/** What a client accepts when it asks for a manifest, best first. */
export const acceptedManifestTypes: string = [...manifestTypes, ...indexTypes].join(', ');
