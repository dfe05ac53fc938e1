import { join } from 'node:path';
import { quantityNumber } from '../../api/quantity.ts';
import { StatusError } from '../../base/errors.ts';
import { hostAliasesOf } from '../../mesh/host-aliases.ts';
import { isKnown } from '../runtimes/isolate/applets/index.ts';
import { commandMarker } from '../runtimes/isolate/messages.ts';
import type { ContainerSpec } from '../runtimes/runtime.ts';
import { expand } from './expansion.ts';
import { type Grant, grantsOf } from './grants.ts';
import { type Container, containerId, type PodRecord } from './record.ts';

/** A container's log: this much in one file, in this many files. */
export const logBytesMax: number = 10 * 1024 * 1024;
export const logFilesMax = 5;

/** An image that lies on this node, ready to run as an isolate. */
export interface RunnableImage {
  /** `<name>@sha256:…`, or the name itself if it is built in. */
  id: string;
  rootDir: string;
  /** The module that runs: an absolute path in the image. */
  entry: string;
  /** Arguments after the module. */
  args: string[];
  env: string[];
  workingDir: string;
  sizeBytes: number;
  /** A part of this package: it may get grants without asking, and its paths are the node's own. */
  grants?: { worker: boolean; addons: boolean };
  /** It has no module: it runs commands, `sh` if none is given. */
  isShell?: boolean;
}

/** Puts together what the runtime needs. Pure; what an isolate can't do is an `Invalid` that says so. */
export function containerSpec(options: {
  record: PodRecord;
  container: Container;
  image: RunnableImage;
  env: Record<string, string>;
  mounts: ContainerSpec['mounts'];
  logPath: string;
  /** What this node allows pods that ask for it. */
  grantsAllowed: readonly Grant[];
}): ContainerSpec {
  const { record, container, image, env, mounts, logPath, grantsAllowed } = options;
  const { metadata, spec } = record.pod;
  checkSupported(container, image);
  const memory = container.resources?.limits?.memory;
  return {
    id: containerId(record.uid, container.name, record.containers[container.name]!.restartCount),
    pod: {
      namespace: record.namespace,
      name: record.name,
      uid: record.uid,
      ip: record.ip ?? '',
      serviceAccount: spec?.serviceAccountName ?? 'default',
      labels: { ...metadata?.labels },
      ...(spec?.hostAliases?.length && { hostAliases: hostAliasesOf(spec.hostAliases) }),
    },
    container: container.name,
    rootDir: image.rootDir,
    command: commandOf(container, image, env),
    workingDir: container.workingDir ? join(image.rootDir, container.workingDir) : image.workingDir,
    env,
    mounts,
    memoryLimitBytes: memory === undefined ? undefined : quantityNumber(String(memory)),
    grants: grantsOf({
      annotations: metadata?.annotations ?? {},
      builtin: image.grants,
      allowed: grantsAllowed,
    }),
    logPath,
    logBytesMax,
    logFilesMax,
    ...(container.stdin && { stdin: true }),
    ...(container.stdinOnce && { stdinOnce: true }),
    ...(container.tty && { tty: true }),
  };
}

/**
 * `command` replaces the image's module, `args` its arguments, as with any image: another module (`node` itself is
 * implied), or a command that every isolate has, such as `sh`.
 */
function commandOf(container: Container, image: RunnableImage, env: Record<string, string>): string[] {
  const expandAll = (words: string[] = []) => words.map((word) => expand(word, env));
  const args = container.args ? expandAll(container.args) : container.command ? [] : image.args;
  if (!container.command?.length) {
    if (image.isShell && args.length > 0) return [commandMarker, ...args];
    return image.isShell ? [commandMarker, 'sh'] : [join(image.rootDir, image.entry), ...args];
  }
  const [first, ...rest] = expandAll(container.command);
  const words = first === 'node' ? rest : [first!, ...rest];
  const [module, ...more] = words;
  const isModule = module !== undefined && /\.[cm]?[jt]s$/.test(module);
  if (!isModule && isKnown(first!)) return [commandMarker, first!, ...rest, ...args];
  if (!isModule) {
    throw new StatusError(
      'Invalid',
      `command ${JSON.stringify(container.command)} is neither a JavaScript or TypeScript module nor one of the commands that every isolate has (sh, node, ls, sleep, …)`,
    );
  }
  const path = module.startsWith('/') ? module : join(container.workingDir ?? '/app', module);
  return [join(image.rootDir, path), ...more, ...args];
}

function checkSupported(container: Container, image: RunnableImage): void {
  // Its grants are for its own module only.
  if (image.grants && container.command?.length) {
    throw new StatusError(
      'Invalid',
      `container ${container.name} has a command, but a built-in image runs nothing but itself; remove it, or use an image of your own`,
    );
  }
}
