import type { InferenceService } from '../../api/kinds/inferenceService.ts';
import type { Template } from './component.ts';

type PodSpec = NonNullable<Template['spec']>;
type Volume = NonNullable<PodSpec['volumes']>[number];
type Container = PodSpec['containers'][number];

export const modelVolume = 'model';
export const modelFolder = '/mnt/models';
export const storageInitializerImage = 'selvage.dev/builtin/storage-initializer';

/** How a model reaches the pod's `/mnt/models`. */
export interface Storage {
  volume: Volume;
  subPath?: string;
  /** Fetches the model before the server starts. */
  initContainer?: Container;
  /** `host:port` that the init container must reach. */
  egress?: string;
  /** Of `oci://`: the artifact's name. */
  reference?: string;
}

/** Of the predictor's model, if it has one; what is wrong with it was refused before. */
export function modelStorage({ spec }: InferenceService): Storage | undefined {
  const uri = spec?.predictor.model?.storageUri;
  const storage = uri === undefined ? undefined : storageOf(uri);
  return typeof storage === 'string' ? undefined : storage;
}

/** Reads a storageUri; a string is what is wrong with it. */
export function storageOf(uri: string): Storage | string {
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
    case 'https':
      return downloaded(uri);
  }
  return 'must be oci://<name>:<tag>, pvc://<claim>/<path>, file:///<path on the node> or http(s)://<host>/<file>#sha256=<digest>';
}

function downloaded(uri: string): Storage | string {
  if (!URL.canParse(uri)) return 'must be a URL';
  const url = new URL(uri);
  if (!/^#sha256=[0-9a-f]{64}$/.test(url.hash)) {
    return 'a download must end in #sha256=<64 hexadecimal digits>, the digest of its file: what comes over the net is served only if it is what was meant';
  }
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return {
    volume: { name: modelVolume, emptyDir: {} },
    initContainer: {
      name: 'storage-initializer',
      image: storageInitializerImage,
      env: [{ name: 'STORAGE_URI', value: uri }],
      volumeMounts: [{ name: modelVolume, mountPath: modelFolder }],
    },
    egress: `${url.hostname}:${port}`,
  };
}
