import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isStatus, messageOf } from '../../base/errors.ts';
import { shellReference } from '../images/builtin-images.ts';
import { ImageError } from '../images/image-error.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import { makeVolumes, mountsOf } from '../volumes/mount-volumes.ts';
import { makeSubPaths } from '../volumes/sub-paths.ts';
import type { TokenSource, Volume } from '../volumes/volume-files.ts';
import { formatDuration } from './backoff.ts';
import { containerSpec, type RunnableImage } from './container-spec.ts';
import { environment, type ReferencedObjects } from './environment.ts';
import type { NodeFacts } from './field-reference.ts';
import type { Grant } from './grants.ts';
import { imageVolume } from './image-volumes.ts';
import type { PodEvents } from './pod-events.ts';
import type { Container, PodRecord } from './record.ts';
import type { LinkedService } from './service-links.ts';
import { makeTerminationFile } from './termination-message.ts';

/** The images of a node. */
export interface Images {
  /** An image ready to run, pulled if the policy asks for it; throws `ImageError`. `onPull` is called before a pull. */
  runnable(reference: string, policy: string | undefined, onPull: () => void): Promise<PulledImage>;
  /** An image's or artifact's content as a folder; throws `ImageError`. */
  folder(reference: string, policy: string | undefined): Promise<ImageFolder>;
}

export interface ImageFolder {
  path: string;
  /** The image as it was resolved, `name@digest`. */
  id: string;
}

export interface PulledImage extends RunnableImage {
  /** How long the pull took; undefined if the image was there already. */
  pulledInMs?: number;
}

export interface StartSources {
  node: NodeFacts;
  images: Images;
  objects: ReferencedObjects;
  /** The Services as the node last knew them. */
  services(): Promise<readonly LinkedService[]>;
  token: TokenSource;
  caPem: string;
  hostPathsAllowed: readonly string[];
  grantsAllowed: readonly Grant[];
  /** Where the node keeps the folders of claims. */
  volumesFolder: string;
  podDir(uid: string): string;
  logDir(record: PodRecord): string;
  /** The runtime, started if it isn't there. */
  runtime(): Promise<Runtime>;
}

/** Why a container could not be started, as its waiting state shows it. */
export class StartFailure extends Error {
  readonly reason: string;
  /** A failed pull waits ever longer; other failures are retried at a steady pace. */
  readonly isPull: boolean;

  constructor(reason: string, message: string, options: { isPull?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.reason = reason;
    this.isPull = options.isPull ?? false;
  }
}

/**
 * Does all that precedes a container's process (image, volumes, environment), then starts it. Gives the image's id,
 * or undefined if `isStillWanted` turned false on the way. Throws `StartFailure`.
 */
export async function startContainer(options: {
  record: PodRecord;
  container: Container;
  sources: StartSources;
  events: PodEvents;
  isStillWanted: () => boolean;
}): Promise<string | undefined> {
  const { record, container, sources, events, isStillWanted } = options;
  // The first pod of a node also starts the runtime: that goes on beside the pull. A failure shows where it is used.
  sources.runtime().catch(() => {});
  // So does making the volumes, whose tokens are asked for: it is over, well or not, before this function is.
  const making = makePodVolumes(record, sources);
  const image = await beside(pull(container, sources, { events, isStillWanted }), making);
  if (!isStillWanted()) return undefined;
  const volumes = await attempt(events, 'ContainerCreating', 'FailedMount', container, () => making);
  const spec = await attempt(events, 'CreateContainerConfigError', 'Failed', container, async () => {
    const { node, objects } = sources;
    const services = await sources.services();
    const env = await environment({ record, container, imageEnv: image.env, node, objects, services });
    const mounts = [...mountsOf(container, volumes, env), makeTerminationFile(record, container, sources)];
    await makeSubPaths(mounts);
    return containerSpec({
      record,
      container,
      image,
      env,
      mounts,
      logPath: logPath(sources, record, container),
      grantsAllowed: sources.grantsAllowed,
    });
  });
  if (!isStillWanted()) return undefined;
  await attempt(events, 'RunContainerError', 'Failed', container, async () => {
    await mkdir(dirname(spec.logPath), { recursive: true });
    const connected = sources.runtime();
    events.normal('Created', `Created container: ${container.name}`, container.name);
    await (await connected).start(spec);
  });
  return image.id;
}

/** The first's result once the second has settled too; the second's failure is its caller's to look at. */
async function beside<T>(first: Promise<T>, second: Promise<unknown>): Promise<T> {
  const [result] = await Promise.allSettled([first, second]);
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

/** Makes a pod's volumes, or brings them up to date with the ConfigMaps and Secrets that they show. */
export function makePodVolumes(
  record: PodRecord,
  sources: StartSources,
  isWanted: (volume: Volume) => boolean = () => true,
): ReturnType<typeof makeVolumes> {
  return makeVolumes((record.pod.spec?.volumes ?? []).filter(isWanted), {
    ...sources,
    record,
    podDir: sources.podDir(record.uid),
    imageFolder: (volume) => imageVolume(record, volume, sources),
  });
}

/** `<logs>/<container>/<restart count>.log`, as kubelet lays logs out. */
export function logPath(
  sources: Pick<StartSources, 'logDir'>,
  record: PodRecord,
  container: { name: string },
) {
  const { restartCount } = record.containers[container.name]!;
  return join(sources.logDir(record), container.name, `${restartCount}.log`);
}

async function pull(
  container: Container,
  sources: StartSources,
  { events, isStillWanted }: { events: PodEvents; isStillWanted: () => boolean },
): Promise<PulledImage> {
  const reference = container.image ?? '';
  const { name } = container;
  try {
    const image = await sources.images.runnable(reference, container.imagePullPolicy, () =>
      events.normal('Pulling', `Pulling image "${reference}"`, name),
    );
    const took = image.pulledInMs === undefined ? undefined : formatDuration(image.pulledInMs);
    const message =
      took === undefined
        ? `Container image "${reference}" already present on machine`
        : `Successfully pulled image "${reference}" in ${took} (${took} including waiting). Image size: ${image.sizeBytes} bytes.`;
    events.normal('Pulled', message, name);
    return image;
  } catch (error) {
    const reason = error instanceof ImageError ? error.reason : 'ErrImagePull';
    const why = messageOf(error) + shellHint(reference);
    if (!isStillWanted()) throw new StartFailure(reason, why, { cause: error });
    const isPull = reason === 'ErrImagePull';
    // What kubelet says of a name that it cannot read; of the two, only this is also the container's message.
    const isName = reason === 'InvalidImageName';
    const message = isName ? `Failed to apply default image tag "${reference}": ${why}` : why;
    if (isPull) events.warning('Failed', `Failed to pull image "${reference}": ${why}`, name);
    else events.warning(isName ? 'InspectFailed' : reason, message, name);
    events.warning('Failed', `Error: ${reason}`, name);
    throw new StartFailure(reason, message, { isPull, cause: error });
  }
}

/** Images that people take for a shell hold Linux programs, which no isolate runs. */
function shellHint(reference: string): string {
  const name = reference.replace(/^(docker\.io\/)?(library\/)?/, '').replace(/[:@].*$/, '');
  const isShell = ['busybox', 'alpine', 'ubuntu', 'debian', 'nicolaka/netshoot'].includes(name);
  return isShell ? `; for a shell, use the image ${shellReference}, which is always there` : '';
}

async function attempt<T>(
  events: PodEvents,
  reason: string,
  event: string,
  container: Container,
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const failed = reasonOf(error, reason);
    const message = messageOf(error);
    if (event === 'FailedMount') events.warning(event, message);
    else events.warning(event, `Error: ${message}`, container.name);
    throw new StartFailure(failed, message, { cause: error });
  }
}

/** An image volume without its image is as the kubelet has it: not a mount that failed, but a pull. */
function reasonOf(error: unknown, reason: string): string {
  if (reason === 'CreateContainerConfigError' && isStatus(error, 'Invalid')) return 'CreateContainerError';
  const cause = isStatus(error) ? error.cause : undefined;
  return cause instanceof ImageError ? cause.reason : reason;
}
