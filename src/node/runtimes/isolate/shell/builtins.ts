import type { Readable } from 'node:stream';
import { type Applet, print } from '../applets/applet.ts';
import { appletNamed, runCommand } from '../applets/index.ts';
import { reasonOf } from '../applets/pod-files.ts';
import type { ShellState } from './state.ts';

/** `exit`, `break` and `continue` leave from wherever they stand. */
export class Leave extends Error {
  readonly kind: 'exit' | 'break' | 'continue';
  readonly exitCode: number;

  constructor(kind: 'exit' | 'break' | 'continue', exitCode: number) {
    super(kind);
    this.kind = kind;
    this.exitCode = exitCode;
  }
}

/** A command that changes the shell itself. Its `applet` has the streams and the signal of this call. */
export type Builtin = (args: string[], state: ShellState, applet: Applet) => Promise<number>;

const builtins: Record<string, Builtin> = {
  ':': async () => 0,
  cd: (args, state, applet) => changeDir(args[0] ?? state.variables.get('HOME') ?? '/', state, applet),
  exit: async (args, state) => {
    throw new Leave('exit', Number(args[0] ?? state.exitCode) & 255);
  },
  return: async (args, state) => {
    throw new Leave('exit', Number(args[0] ?? state.exitCode) & 255);
  },
  break: async () => {
    throw new Leave('break', 0);
  },
  continue: async () => {
    throw new Leave('continue', 0);
  },
  export: exportNames,
  unset: async (args, { variables, exported }) => {
    for (const name of args) {
      variables.delete(name);
      exported.delete(name);
    }
    return 0;
  },
  set: async (args, state) => {
    for (const [index, option] of args.entries()) {
      if (!/^[-+][a-z]+$/.test(option)) {
        state.args.splice(1, Infinity, ...args.slice(option === '--' ? index + 1 : index));
        break;
      }
      if (option === '-e' || option === '+e') state.exitsOnError = option === '-e';
      else if (option === '-x' || option === '+x') state.isTraced = option === '-x';
    }
    return 0;
  },
  shift: async (args, state) => {
    state.args.splice(1, Number(args[0] ?? 1));
    return 0;
  },
  read: readVariables,
  exec: async (args, state, applet) => {
    throw new Leave('exit', await runCommand({ ...applet, env: state.environment() }, args));
  },
  type: async (args, _state, { stdout, stderr }) => {
    for (const name of args) {
      if (pathOf(name) === undefined) await print(stderr, `sh: ${name}: not found\n`);
      else await print(stdout, `${name} is ${pathOf(name)}\n`);
    }
    return Number(args.some((name) => pathOf(name) === undefined));
  },
  command: async (args, state, applet) => {
    if (args[0] !== '-v') return runCommand({ ...applet, env: state.environment(), isTerminal: false }, args);
    const paths = args.slice(1).map(pathOf);
    for (const path of paths) if (path) await print(applet.stdout, `${path}\n`);
    return Number(paths.includes(undefined));
  },
};

export function builtinNamed(name: string): Builtin | undefined {
  return Object.hasOwn(builtins, name) ? builtins[name] : undefined;
}

/** Where a command is; a builtin is its own name. */
function pathOf(name: string): string | undefined {
  if (Object.hasOwn(builtins, name)) return name;
  return appletNamed(name) && `/bin/${name}`;
}

async function changeDir(to: string, { variables }: ShellState, { files, stderr }: Applet): Promise<number> {
  const before = files.workingDir;
  const target = to === '-' ? (variables.get('OLDPWD') ?? before) : to;
  try {
    await files.changeDir(target);
  } catch (error) {
    await print(stderr, `sh: cd: can't cd to ${target}: ${reasonOf(error)}\n`);
    return 1;
  }
  variables.set('OLDPWD', before).set('PWD', files.workingDir);
  return 0;
}

async function exportNames(args: string[], state: ShellState, { stdout }: Applet): Promise<number> {
  const { variables, exported } = state;
  if (args.length === 0) {
    for (const name of exported) await print(stdout, `export ${name}='${variables.get(name) ?? ''}'\n`);
  }
  for (const word of args) {
    const at = word.indexOf('=');
    const name = at < 0 ? word : word.slice(0, at);
    if (at >= 0) variables.set(name, word.slice(at + 1));
    exported.add(name);
  }
  return 0;
}

/** Reads one line into variables; the rest stays to be read. */
async function readVariables(args: string[], { variables }: ShellState, { stdin }: Applet): Promise<number> {
  const given = args.filter((word) => !word.startsWith('-'));
  const names = given.length > 0 ? given : ['REPLY'];
  const line = await readLine(stdin);
  const words = (line ?? '').trim().split(/[ \t]+/);
  for (const [index, name] of names.entries()) {
    const isLast = index === names.length - 1;
    variables.set(name, isLast ? words.slice(index).join(' ') : (words[index] ?? ''));
  }
  return Number(line === undefined);
}

/** A line without its end; undefined where there is none left. */
async function readLine(stdin: Readable): Promise<string | undefined> {
  const bytes: Buffer[] = [];
  for (;;) {
    const chunk = stdin.read(1) as Buffer | null;
    if (chunk === null) {
      if (stdin.readableEnded || stdin.destroyed) break;
      const isMore = await new Promise<boolean>((resolve) => {
        stdin.once('readable', () => resolve(true)).once('end', () => resolve(false));
      });
      if (!isMore) break;
      continue;
    }
    if (chunk[0] === 10) return Buffer.concat(bytes).toString();
    bytes.push(chunk);
  }
  return bytes.length > 0 ? Buffer.concat(bytes).toString() : undefined;
}
