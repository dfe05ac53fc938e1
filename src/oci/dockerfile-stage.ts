import { posix } from 'node:path';

import { atLine, type Dockerfile, type Instruction, jsonForm } from './dockerfile.ts';
import { expandText, expandWords } from './dockerfile-words.ts';
import type { ImageConfig } from './image.ts';
import type { Descriptor } from './manifest.ts';

/** One FROM and what follows it, while it is being built. */
export interface Stage {
  name?: string;
  config: ImageConfig;
  layers: Descriptor[];
  /** Values of ARGs that were declared in this stage. */
  args: Map<string, string>;
  /** What an ARG without a default takes: given build arguments, global ARGs, the platform's. */
  inherited: Map<string, string>;
  /** Folders that this stage itself made, as absolute paths. */
  folders: Set<string>;
  hasCmd: boolean;
}

/** Instructions that only change the image's configuration; the rest is not for this table. */
export const configInstructions: Record<
  string,
  (stage: Stage, instruction: Instruction, dockerfile: Dockerfile) => void
> = {
  ENV(stage, instruction, dockerfile) {
    for (const [name, value] of pairs(stage, instruction, dockerfile)) setEnv(stage, name, value);
  },
  LABEL(stage, instruction, dockerfile) {
    const added = Object.fromEntries(pairs(stage, instruction, dockerfile));
    settings(stage).Labels = { ...settings(stage).Labels, ...added };
  },
  ARG(stage, instruction, dockerfile) {
    for (const word of words(stage, instruction, dockerfile)) declareArg(stage, word);
  },
  WORKDIR(stage, instruction, dockerfile) {
    const folder = absolute(stage, text(stage, instruction, dockerfile));
    settings(stage).WorkingDir = folder;
    stage.folders.add(folder);
  },
  USER(stage, instruction, dockerfile) {
    settings(stage).User = text(stage, instruction, dockerfile);
  },
  STOPSIGNAL(stage, instruction, dockerfile) {
    settings(stage).StopSignal = text(stage, instruction, dockerfile);
  },
  EXPOSE(stage, instruction, dockerfile) {
    for (const word of words(stage, instruction, dockerfile)) {
      const [, port, protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(word) ?? [];
      if (!port || Number(port) < 1 || Number(port) > 65_535) {
        throw atLine(
          instruction.line,
          `EXPOSE ${word}: expected a port from 1 to 65535, such as 8080 or 53/udp`,
        );
      }
      const key = `${Number(port)}/${protocol.toLowerCase()}`;
      settings(stage).ExposedPorts = { ...settings(stage).ExposedPorts, [key]: {} };
    }
  },
  VOLUME(stage, instruction, dockerfile) {
    for (const path of jsonForm(instruction.args) ?? words(stage, instruction, dockerfile)) {
      settings(stage).Volumes = { ...settings(stage).Volumes, [path]: {} };
    }
  },
  ENTRYPOINT(stage, instruction) {
    settings(stage).Entrypoint = command(instruction);
    // A base image's CMD was meant for the base image's ENTRYPOINT.
    if (!stage.hasCmd) delete settings(stage).Cmd;
  },
  CMD(stage, instruction) {
    settings(stage).Cmd = command(instruction);
    stage.hasCmd = true;
  },
  MAINTAINER(stage, instruction) {
    stage.config.author = instruction.args;
  },
};

export function settings(stage: Stage): NonNullable<ImageConfig['config']> {
  stage.config.config ??= {};
  return stage.config.config;
}

/** A path as the stage's working folder completes it. */
export function absolute(stage: Stage, path: string): string {
  const full = posix.resolve('/', settings(stage).WorkingDir ?? '/', path);
  return path.endsWith('/') && full !== '/' ? `${full}/` : full;
}

/** The instruction's words with the stage's variables put in. */
export function words(stage: Stage, { args, line }: Instruction, { escapeCharacter }: Dockerfile): string[] {
  const found = located(line, () => expandWords(args, (name) => lookup(stage, name), escapeCharacter));
  if (found.length === 0) throw atLine(line, 'the instruction needs an argument');
  return found;
}

function text(stage: Stage, { args, line }: Instruction, { escapeCharacter }: Dockerfile): string {
  const found = located(line, () => expandText(args, (name) => lookup(stage, name), escapeCharacter));
  if (found === '') throw atLine(line, 'the instruction needs an argument');
  return found;
}

export function located<T>(line: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof SyntaxError) throw atLine(line, error.message);
    throw error;
  }
}

/** `name=value …`, or the old form `name the rest of the line`. */
function pairs(stage: Stage, instruction: Instruction, dockerfile: Dockerfile): [string, string][] {
  const found = words(stage, instruction, dockerfile);
  const [first] = found;
  if (!first!.includes('=')) {
    if (found.length < 2) throw atLine(instruction.line, `${first} has no value; write ${first}=value`);
    return [[first!, found.slice(1).join(' ')]];
  }
  return found.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 1) throw atLine(instruction.line, `expected name=value, not ${JSON.stringify(word)}`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

function setEnv(stage: Stage, name: string, value: string): void {
  const others = (settings(stage).Env ?? []).map((each) =>
    each.startsWith(`${name}=`) ? `${name}=${value}` : each,
  );
  settings(stage).Env = others.includes(`${name}=${value}`) ? others : [...others, `${name}=${value}`];
}

function declareArg(stage: Stage, word: string): void {
  const [name, ...defaulted] = word.split('=');
  const value = stage.inherited.get(name!) ?? (defaulted.length > 0 ? defaulted.join('=') : undefined);
  if (value !== undefined) stage.args.set(name!, value);
}

/** The environment wins over arguments, as in Docker. */
function lookup(stage: Stage, name: string): string | undefined {
  const entry = settings(stage).Env?.find((each) => each.startsWith(`${name}=`));
  return entry?.slice(name.length + 1) ?? stage.args.get(name);
}

function command({ args }: Instruction): string[] {
  return jsonForm(args) ?? ['/bin/sh', '-c', args];
}
