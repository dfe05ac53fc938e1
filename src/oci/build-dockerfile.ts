import { randomUUID } from 'node:crypto';
import { lstat, readFile, rm } from 'node:fs/promises';
import { join, posix } from 'node:path';

import { messageOf, StatusError } from '../base/errors.ts';
import { type BuildOptions, createdAt } from './build-options.ts';
import { listFiles, readContext } from './context-files.ts';
import { atLine, type Dockerfile, type Instruction, parseDockerfile } from './dockerfile.ts';
import { type CopySource, copyEntries } from './dockerfile-copy.ts';
import { configInstructions, located, type Stage, settings } from './dockerfile-stage.ts';
import { expandText, expandWords } from './dockerfile-words.ts';
import { orMissing } from './durable-file.ts';
import {
  entryLabel,
  hostPlatform,
  isIsolate,
  isolateEntry,
  readImage,
  runtimeLabel,
  writeImage,
} from './image.ts';
import { writeLayer } from './layer.ts';
import type { Descriptor, Platform } from './manifest.ts';
import { folderInRoot } from './root-path.ts';
import { unpackLayers } from './unpack.ts';

/** The empty base image that makes an isolate of a Dockerfile; nothing is pulled for it. */
export const isolateBase = 'selvage/isolate';

const unsupported: Record<string, string> = {
  RUN:
    'RUN is not supported yet: it needs a container to run in. Run the command before the build and COPY its result, ' +
    'or build the image with another tool and push it to the registry',
  ONBUILD: 'ONBUILD is not supported; write its instruction where it is needed',
  SHELL: 'SHELL is not supported; write CMD and ENTRYPOINT in their JSON form',
};

/** Builds the last stage of a context's Dockerfile, of those instructions that need nothing to run. */
export async function buildDockerfile(options: BuildOptions): Promise<Descriptor> {
  const text = await readFile(join(options.contextDir, 'Dockerfile'), 'utf8');
  const build = new DockerfileBuild(options, parseDockerfile(text));
  try {
    return await build.run();
  } finally {
    await build.cleanUp();
  }
}

class DockerfileBuild {
  readonly #options: BuildOptions;
  readonly #dockerfile: Dockerfile;
  readonly #stages: Stage[] = [];
  readonly #globals: Map<string, string>;
  readonly #created: string;
  #context: CopySource | undefined;
  /** Roots of stages or images that were unpacked to copy from, by their layers' digests. */
  readonly #roots = new Map<string, string>();

  constructor(options: BuildOptions, dockerfile: Dockerfile) {
    this.#options = options;
    this.#dockerfile = dockerfile;
    this.#created = createdAt(options);
    this.#globals = new Map(Object.entries(options.buildArgs ?? {}));
  }

  async run(): Promise<Descriptor> {
    const { instructions } = this.#dockerfile;
    for (const [at, instruction] of instructions.entries()) {
      this.#options.onProgress?.(
        `[${at + 1}/${instructions.length}] ${instruction.keyword} ${instruction.args}`,
      );
      await this.#step(instruction);
    }
    const last = this.#stages.at(-1);
    if (!last) throw new StatusError('Invalid', 'the Dockerfile has no FROM; begin with FROM scratch');
    if (isIsolate(last.config)) labelEntry(last);
    return writeImage(this.#options.store, {
      config: { ...last.config, created: this.#created },
      layers: last.layers,
    });
  }

  async cleanUp(): Promise<void> {
    for (const root of this.#roots.values()) await rm(root, { recursive: true, force: true });
  }

  async #step(instruction: Instruction): Promise<void> {
    const { keyword, line } = instruction;
    if (keyword === 'FROM') return void this.#stages.push(await this.#from(instruction));
    const stage = this.#stages.at(-1);
    if (!stage && keyword === 'ARG') return this.#globalArg(instruction);
    if (!stage) throw atLine(line, `${keyword} comes before the first FROM`);
    if (unsupported[keyword]) throw atLine(line, unsupported[keyword]);
    if (keyword === 'COPY' || keyword === 'ADD') return this.#copy(stage, instruction);
    if (keyword === 'HEALTHCHECK') {
      return this.#options.onProgress?.("HEALTHCHECK is left out: a pod's probes take its place");
    }
    const apply = configInstructions[keyword];
    if (!apply) throw atLine(line, `unknown instruction ${keyword}`);
    apply(stage, instruction, this.#dockerfile);
    stage.config.history?.push(this.#history(instruction, true));
  }

  async #from({ args, flags, line }: Instruction): Promise<Stage> {
    const global = (name: string) => this.#globals.get(name);
    const [base, as, name, ...more] = located(line, () =>
      expandWords(args, global, this.#dockerfile.escapeCharacter),
    );
    if (!base || (as && as.toLowerCase() !== 'as') || (as && !name) || more.length > 0) {
      throw atLine(line, 'expected FROM <image> [AS <name>]');
    }
    const platform = flags.platform
      ? readPlatform(expandText(flags.platform, global), line)
      : this.#options.platform;
    const found = await this.#base(base, platform, line);
    const { os, architecture } = found.config;
    const target = { TARGETOS: os, TARGETARCH: architecture, TARGETPLATFORM: `${os}/${architecture}` };
    return {
      ...(name && { name: name.toLowerCase() }),
      ...found,
      args: new Map(),
      inherited: new Map([...Object.entries(target), ...this.#globals]),
      folders: new Set(['/']),
      hasCmd: false,
    };
  }

  async #base(
    base: string,
    platform: Platform | undefined,
    line: number,
  ): Promise<Pick<Stage, 'config' | 'layers'>> {
    const stage = this.#stages.find((each) => each.name === base.toLowerCase());
    if (stage) return { config: structuredClone(stage.config), layers: [...stage.layers] };
    if (base === 'scratch') return emptyBase(platform ?? hostPlatform());
    if (base.replace(/:[^/]*$/, '') === isolateBase) {
      const empty = emptyBase(platform ?? { os: 'linux', architecture: 'amd64' });
      empty.config.config = { WorkingDir: '/app', Labels: { [runtimeLabel]: 'isolate' } };
      return empty;
    }
    const { config, manifest } = await this.#image(base, platform, line);
    return {
      config: { ...structuredClone(config), history: config.history ?? [] },
      layers: [...manifest.layers],
    };
  }

  async #image(reference: string, platform: Platform | undefined, line: number) {
    const { store, pullBase } = this.#options;
    try {
      const here = (await store.resolve(reference)) ?? (await pullBase?.(reference));
      return await readImage(store, here ?? reference, platform);
    } catch (error) {
      throw atLine(line, messageOf(error));
    }
  }

  async #copy(stage: Stage, instruction: Instruction): Promise<void> {
    if (instruction.keyword === 'ADD') refuseFetching(instruction);
    const source = await this.#source(instruction);
    const isFolder = (path: string) => this.#isFolder(stage, path);
    const entries = await copyEntries(stage, instruction, this.#dockerfile, source, isFolder);
    const layer = await writeLayer(this.#options.store, entries);
    for (const entry of entries) {
      const path = `/${entry.path}`;
      stage.folders.add(entry.type === 'directory' ? path : posix.dirname(path));
    }
    stage.layers.push(layer.descriptor);
    stage.config.rootfs.diff_ids.push(layer.diffId);
    stage.config.history?.push(this.#history(instruction, false));
  }

  async #source({ flags, line }: Instruction): Promise<CopySource> {
    const { from } = flags;
    if (from === undefined) {
      this.#context ??= {
        name: 'the build context',
        files: (await readContext(this.#options.contextDir)).files,
      };
      return this.#context;
    }
    const stages = this.#stages.slice(0, -1);
    const stage =
      stages.find((each) => each.name === from.toLowerCase()) ?? stages[/^\d+$/.test(from) ? +from : -1];
    const layers = stage?.layers ?? (await this.#image(from, this.#options.platform, line)).manifest.layers;
    const files = await listFiles(await this.#root(layers), { outside: 'allow' });
    return { name: stage ? `stage ${from}` : `image ${from}`, files };
  }

  async #isFolder(stage: Stage, path: string): Promise<boolean> {
    const parts = path.split('/').filter((part) => part !== '');
    if (stage.folders.has(`/${parts.join('/')}`)) return true;
    if (stage.layers.length === 0) return false;
    const root = await this.#root(stage.layers);
    const folder = await folderInRoot(root, parts, { create: false }).catch(() => undefined);
    return folder !== undefined && ((await orMissing(lstat(folder)))?.isDirectory() ?? false);
  }

  async #root(layers: Descriptor[]): Promise<string> {
    const key = layers.map((layer) => layer.digest).join();
    let root = this.#roots.get(key);
    if (!root) {
      root = join(this.#options.store.temporary, `stage-${process.pid}-${randomUUID()}`);
      this.#roots.set(key, root);
      await unpackLayers(this.#options.store, { layers, into: root }, { use: 'container' });
    }
    return root;
  }

  #globalArg({ args, line }: Instruction): void {
    const lookup = (name: string) => this.#globals.get(name);
    for (const word of located(line, () => expandWords(args, lookup, this.#dockerfile.escapeCharacter))) {
      const [name, ...value] = word.split('=');
      if (value.length > 0 && !this.#globals.has(name!)) this.#globals.set(name!, value.join('='));
    }
  }

  #history({ keyword, args }: Instruction, isEmpty: boolean) {
    return {
      created: this.#created,
      created_by: `${keyword} ${args}`,
      ...(isEmpty && { empty_layer: true }),
    };
  }
}

function emptyBase({ os, architecture, variant }: Platform): Pick<Stage, 'config' | 'layers'> {
  const rootfs = { type: 'layers' as const, diff_ids: [] };
  return {
    config: { created: '', architecture, os, ...(variant && { variant }), config: {}, rootfs, history: [] },
    layers: [],
  };
}

/** The runtime starts a module, so it has to know which: the one that ENTRYPOINT or CMD name. */
function labelEntry(stage: Stage): void {
  const { Labels = {}, WorkingDir = '/', Entrypoint = [], Cmd = [] } = settings(stage);
  const module = Labels[entryLabel] ?? [...Entrypoint, ...Cmd].find((word) => /\.[cm]?[jt]s$/.test(word));
  if (module === undefined) {
    throw new StatusError('Invalid', 'an isolate needs its module: add ENTRYPOINT ["node", "/app/index.js"]');
  }
  settings(stage).Labels = { ...Labels, [entryLabel]: posix.resolve('/', WorkingDir, module) };
  isolateEntry(stage.config);
}

function refuseFetching({ args, line }: Instruction): void {
  if (/(^|[\s["])(https?:\/\/|git@)/.test(args)) {
    throw atLine(
      line,
      'ADD from a network address is not supported; fetch the file before the build and COPY it',
    );
  }
  if (/\.(tar|tgz|tbz2?|txz|tar\.[a-z0-9]+)(["\s]|$)/.test(args)) {
    throw atLine(line, 'ADD does not unpack archives here; unpack it before the build, or COPY it as it is');
  }
}

function readPlatform(text: string, line: number): Platform {
  const [os, architecture, variant, ...more] = text.split('/');
  if (os && architecture && more.length === 0) return { os, architecture, ...(variant && { variant }) };
  throw atLine(line, `--platform=${text}: expected system/processor, such as linux/arm64`);
}
