import type { InferenceService } from '../../api/kinds/inferenceService.ts';
import type { Template } from './component.ts';
import { isBuiltIn } from './names.ts';
import type { StorageAccess } from './storage-access.ts';

type PodSpec = NonNullable<Template['spec']>;
type Volume = NonNullable<PodSpec['volumes']>[number];
type Container = PodSpec['containers'][number];

export const modelVolume = 'model';
export const modelFolder = '/mnt/models';
/** KServe's names. */
const caVolume = 'cabundle-cert';
const caFolder = '/etc/ssl/custom-certs';
export const storageInitializerImage = 'selvage.dev/builtin/storage-initializer';

/** How a model reaches the pod's `/mnt/models`. */
export interface Storage {
  volume: Volume;
  /** Beside that one, for the init container. */
  volumes?: Volume[];
  subPath?: string;
  /** Fetches the model before the server starts. */
  initContainer?: Container;
  /** `host:port` that the init container must reach. */
  egress?: string;
  /** Of `oci://`: the artifact's name. */
  reference?: string;
}

/** Of the predictor's model, if it has one; what is wrong with it was refused before. */
export function modelStorage({ spec }: InferenceService, access?: StorageAccess): Storage | undefined {
  const { model } = spec?.predictor ?? {};
  const uri = access?.uri ?? model?.storageUri;
  if (!model || uri === undefined) return undefined;
  const storage = storageOf(uri, { keepsName: !isBuiltIn(model), access });
  return typeof storage === 'string' ? undefined : storage;
}

/** The same with the artifact as it is known to the registry. */
export function withReference(
  storage: Storage | undefined,
  reference: string | undefined,
): Storage | undefined {
  if (!storage?.reference || reference === undefined) return storage;
  return {
    ...storage,
    reference,
    volume: { ...storage.volume, image: { ...storage.volume.image, reference } },
  };
}

/** Reads a storageUri; a string is what is wrong with it. `keepsName`: a file that is fetched keeps its name. */
export function storageOf(
  uri: string,
  how: { keepsName?: boolean; access?: StorageAccess | undefined } = {},
): Storage | string {
  const scheme = /^([a-z0-9+.-]+):\/\//.exec(uri)?.[1];
  const rest = uri.slice(`${scheme}://`.length);
  switch (scheme) {
    case 'oci':
      if (rest === '') break;
      return { volume: { name: modelVolume, image: { reference: rest } }, reference: rest };
    case 'pvc': {
      const [claimName = '', ...path] = rest.split('/');
      if (claimName === '') break;
      const subPath = path.join('/');
      const volume = { name: modelVolume, persistentVolumeClaim: { claimName, readOnly: true } };
      return { volume, ...(subPath !== '' && { subPath }) };
    }
    case 'file':
      if (!rest.startsWith('/')) break;
      return { volume: { name: modelVolume, hostPath: { path: rest } } };
    case 'http':
    case 'https': {
      const url = URL.parse(uri);
      if (url?.username !== '') return 'must be a URL without a user';
      if (url.hash !== '' && !/^#sha256=[0-9a-f]{64}$/.test(url.hash))
        return 'what follows # must be sha256=<64 hexadecimal digits>, the digest of the file';
      return fetched(uri, url.pathname, how);
    }
    case 's3':
    case 'gs':
      if (!/^[\w.-]+(\/|$)/.test(rest)) break;
      return fetched(uri, rest, how);
  }
  return 'must be oci://<name>:<tag>, pvc://<claim>/<path>, s3://<bucket>/<path>, gs://<bucket>/<path>, http(s)://<host>/<file> or file:///<path on the node>';
}

/** By an init container, which may reach that host alone. */
function fetched(
  uri: string,
  path: string,
  { keepsName = false, access }: Parameters<typeof storageOf>[1] = {},
): Storage {
  const name = path.split('/').filter(Boolean).at(-1);
  const { env = [], egress = '', ca } = access ?? {};
  return {
    volume: { name: modelVolume, emptyDir: {} },
    initContainer: {
      name: 'storage-initializer',
      image: storageInitializerImage,
      env: [
        { name: 'STORAGE_URI', value: uri },
        ...(keepsName ? [{ name: 'STORAGE_FILE', value: name || 'model' }] : []),
        ...env,
        ...(ca ? [{ name: 'CA_BUNDLE', value: `${caFolder}/${ca.file}` }] : []),
      ],
      terminationMessagePolicy: 'FallbackToLogsOnError',
      volumeMounts: [
        { name: modelVolume, mountPath: modelFolder },
        ...(ca ? [{ name: caVolume, mountPath: caFolder, readOnly: true }] : []),
      ],
    },
    ...(ca && { volumes: [{ name: caVolume, configMap: { name: ca.configMap } }] }),
    ...(egress !== '' && { egress }),
  };
}
