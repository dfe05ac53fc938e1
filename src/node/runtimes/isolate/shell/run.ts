import { createReadStream, createWriteStream } from 'node:fs';
import { PassThrough, Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { type Applet, AppletError, print } from '../applets/applet.ts';
import { appletNamed, runCommand } from '../applets/index.ts';
import { reasonOf } from '../applets/pod-files.ts';
import { type Expansion, expandWord, expandWords } from './expand.ts';
import { type Command, parse, type Redirection, SyntaxProblem } from './syntax.ts';

type Streams = Pick<Applet, 'stdin' | 'stdout' | 'stderr'>;

/** The output of a command in `$(…)` may be this long. */
const outputBytesMax = 16 * 1024 * 1024;
const depthMax = 200;

/** `exit`, `break` and `continue` leave from wherever they stand. */
class Leave extends Error {
  readonly kind: 'exit' | 'break' | 'continue';
  readonly exitCode: number;

  constructor(kind: 'exit' | 'break' | 'continue', exitCode: number) {
    super(kind);
    this.kind = kind;
    this.exitCode = exitCode;
  }
}

/** Runs parsed commands, with variables and a working folder of its own. */
export class Shell {
  readonly #applet: Applet;
  readonly #options: { exitsOnError: boolean; isTraced: boolean };
  #variables: Map<string, string>;
  #exported: Set<string>;
  #arguments: string[] = ['sh'];
  #exitCode = 0;
  #depth = 0;
  /** Replaced for each line that a person enters, so that ^C ends that line only. */
  signal: AbortSignal;

  constructor(applet: Applet, options: { exitsOnError: boolean; isTraced: boolean }) {
    this.#applet = applet;
    this.#options = options;
    this.signal = applet.signal;
    const given = Object.entries(applet.env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    );
    this.#variables = new Map([['HOME', '/'], ...given]);
    this.#exported = new Set(given.map(([name]) => name));
  }

  get exitCode(): number {
    return this.#exitCode;
  }

  setArguments(name: string, args: string[]): void {
    this.#arguments = [name, ...args];
  }

  variable(name: string): string | undefined {
    return this.#variables.get(name);
  }

  /** Runs a whole script; resolves to its exit code. */
  async runScript(source: string): Promise<number> {
    try {
      return await this.runLine(source, this.#applet);
    } catch (error) {
      if (error instanceof Leave) return error.exitCode;
      if (!(error instanceof SyntaxProblem)) throw error;
      await print(this.#applet.stderr, `sh: syntax error: ${error.message}\n`);
      return 2;
    }
  }

  /** Runs what has been typed. Throws SyntaxProblem, and what `leaving` knows for `exit`. */
  async runLine(source: string, { stdin, stdout, stderr }: Streams): Promise<number> {
    return this.#run(parse(source), { stdin, stdout, stderr });
  }

  /** The exit code if this is how `exit` ends the shell. */
  static leaving(error: unknown): number | undefined {
    return error instanceof Leave ? error.exitCode : undefined;
  }

  async #run(command: Command, streams: Streams): Promise<number> {
    if (++this.#depth > depthMax) throw new SyntaxProblem(`commands are nested more than ${depthMax} deep`);
    try {
      this.#exitCode = await this.#evaluate(command, streams);
      return this.#exitCode;
    } finally {
      this.#depth--;
    }
  }

  async #evaluate(command: Command, streams: Streams): Promise<number> {
    switch (command.kind) {
      case 'list':
        return this.#list(command.commands, streams);
      case 'and':
      case 'or': {
        const left = await this.#run(command.left, streams);
        return (left === 0) === (command.kind === 'and') ? this.#run(command.right, streams) : left;
      }
      case 'pipeline': {
        const exitCode = await this.#pipeline(command.commands, streams);
        return command.isNegated ? Number(exitCode === 0) : exitCode;
      }
      case 'group':
        return this.#redirected(command.redirections, streams, (own) =>
          command.isSubshell ? this.#subshell(command.body, own) : this.#run(command.body, own),
        );
      case 'if': {
        for (const { condition, body } of command.branches) {
          if ((await this.#run(condition, streams)) === 0) return this.#run(body, streams);
        }
        return command.otherwise ? this.#run(command.otherwise, streams) : 0;
      }
      case 'loop':
        return this.#loop(command.body, streams, async () => {
          return ((await this.#run(command.condition, streams)) === 0) !== command.isUntil;
        });
      case 'for': {
        const values = await expandWords(command.words, this.#expansion(streams));
        return this.#loop(command.body, streams, async () => {
          const value = values.shift();
          if (value !== undefined) this.#variables.set(command.name, value);
          return value !== undefined;
        });
      }
      case 'simple':
        return this.#redirected(command.redirections, streams, (own) => this.#simple(command, own));
    }
  }

  async #list(commands: Command[], streams: Streams): Promise<number> {
    let exitCode = 0;
    for (const command of commands) {
      if (this.signal.aborted) return 130;
      exitCode = await this.#run(command, streams);
      const mayFail = command.kind === 'and' || command.kind === 'or';
      if (exitCode !== 0 && this.#options.exitsOnError && !mayFail) throw new Leave('exit', exitCode);
    }
    return exitCode;
  }

  async #loop(body: Command, streams: Streams, isNext: () => Promise<boolean>): Promise<number> {
    let exitCode = 0;
    while (!this.signal.aborted && (await isNext())) {
      try {
        exitCode = await this.#run(body, streams);
      } catch (error) {
        if (!(error instanceof Leave) || error.kind === 'exit') throw error;
        if (error.kind === 'break') break;
      }
      // A loop of nothing but quick commands must still hear ^C.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return this.signal.aborted ? 130 : exitCode;
  }

  /** All commands at once, each reading what the one before writes; the last one's exit code counts. */
  async #pipeline(commands: Command[], streams: Streams): Promise<number> {
    let { stdin } = streams;
    const running = commands.map((command, index) => {
      const isLast = index === commands.length - 1;
      const pipe = isLast ? undefined : new PassThrough().on('error', () => {});
      const own = { ...streams, stdin, stdout: pipe ?? streams.stdout };
      const input = index > 0 ? stdin : undefined;
      if (pipe) stdin = pipe;
      return this.#subshell(command, own).finally(() => {
        pipe?.end();
        // Who writes to a command that has ended ends too.
        input?.destroy();
      });
    });
    const codes = await Promise.all(running);
    return codes.at(-1)!;
  }

  /** In a copy: what it sets, or where it goes, is its own. */
  async #subshell(command: Command, streams: Streams): Promise<number> {
    const copy = new Shell({ ...this.#applet, files: this.#applet.files.copy() }, { ...this.#options });
    copy.#variables = new Map(this.#variables);
    copy.#exported = new Set(this.#exported);
    copy.#arguments = this.#arguments;
    copy.#exitCode = this.#exitCode;
    copy.signal = this.signal;
    try {
      return await copy.#run(command, streams);
    } catch (error) {
      if (error instanceof Leave) return error.exitCode;
      throw error;
    }
  }

  async #simple(command: Command & { kind: 'simple' }, streams: Streams): Promise<number> {
    const expansion = this.#expansion(streams);
    const words = await expandWords(command.words, expansion);
    const assigned: [string, string][] = [];
    for (const { name, value } of command.assignments)
      assigned.push([name, await expandWord(value, expansion)]);
    if (this.#options.isTraced) await print(streams.stderr, `+ ${words.join(' ')}\n`);
    const [name, ...args] = words;
    if (name === undefined) {
      for (const [variable, value] of assigned) this.#variables.set(variable, value);
      return 0;
    }
    const builtin = this.#builtin(name, args, streams);
    if (builtin) return builtin;
    const env = { ...this.#environment(), ...Object.fromEntries(assigned) };
    if (appletNamed(name) === undefined) {
      const why = name.includes('/') ? `${name}: No such file or directory` : `${name}: not found`;
      await print(streams.stderr, `sh: ${why}\n`);
      return 127;
    }
    return runCommand({ ...this.#applet, ...streams, env, signal: this.signal, isTerminal: false }, words);
  }

  #builtin(name: string, args: string[], streams: Streams): Promise<number> | undefined {
    const builtins: Record<string, () => Promise<number>> = {
      ':': async () => 0,
      cd: () => this.#changeDir(args[0] ?? this.variable('HOME') ?? '/', streams),
      exit: async () => {
        throw new Leave('exit', args[0] === undefined ? this.#exitCode : Number(args[0]) & 255);
      },
      return: async () => {
        throw new Leave('exit', Number(args[0] ?? this.#exitCode) & 255);
      },
      break: async () => {
        throw new Leave('break', 0);
      },
      continue: async () => {
        throw new Leave('continue', 0);
      },
      export: () => this.#export(args, streams),
      unset: async () => {
        for (const each of args) {
          this.#variables.delete(each);
          this.#exported.delete(each);
        }
        return 0;
      },
      set: async () => {
        for (const each of args) {
          if (each === '-e' || each === '+e') this.#options.exitsOnError = each === '-e';
          else if (each === '-x' || each === '+x') this.#options.isTraced = each === '-x';
        }
        return 0;
      },
      shift: async () => {
        this.#arguments.splice(1, Number(args[0] ?? 1));
        return 0;
      },
      read: () => this.#read(args, streams),
      exec: () =>
        runCommand({ ...this.#applet, ...streams, env: this.#environment(), signal: this.signal }, args).then(
          (code) => {
            throw new Leave('exit', code);
          },
        ),
      type: async () => {
        for (const each of args) {
          const text = appletNamed(each) === undefined ? `${each}: not found` : `${each} is /bin/${each}`;
          await print(streams.stdout, `${text}\n`);
        }
        return 0;
      },
    };
    if (name === 'command' && args[0] === '-v') return builtins.type!();
    return Object.hasOwn(builtins, name) ? builtins[name]!() : undefined;
  }

  async #changeDir(to: string, { stderr }: Streams): Promise<number> {
    const { files } = this.#applet;
    const before = files.workingDir;
    const target = to === '-' ? (this.variable('OLDPWD') ?? before) : to;
    try {
      await files.changeDir(target);
    } catch (error) {
      await print(stderr, `sh: cd: can't cd to ${target}: ${reasonOf(error)}\n`);
      return 1;
    }
    this.#variables.set('OLDPWD', before).set('PWD', files.workingDir);
    return 0;
  }

  async #export(args: string[], { stdout }: Streams): Promise<number> {
    if (args.length === 0) {
      for (const name of this.#exported)
        await print(stdout, `export ${name}='${this.variable(name) ?? ''}'\n`);
    }
    for (const word of args) {
      const at = word.indexOf('=');
      const name = at < 0 ? word : word.slice(0, at);
      if (at >= 0) this.#variables.set(name, word.slice(at + 1));
      this.#exported.add(name);
    }
    return 0;
  }

  /** Reads one line into variables; the rest stays to be read. */
  async #read(args: string[], { stdin }: Streams): Promise<number> {
    const names = args.filter((word) => !word.startsWith('-'));
    const line = await readLine(stdin);
    const words = (line ?? '').trim().split(/[ \t]+/);
    for (const [index, name] of (names.length > 0 ? names : ['REPLY']).entries()) {
      const isLast = index === names.length - 1 || names.length === 0;
      this.#variables.set(name, isLast ? words.slice(index).join(' ') : (words[index] ?? ''));
    }
    return line === undefined ? 1 : 0;
  }

  #environment(): Record<string, string> {
    const entries = [...this.#exported].map((name) => [name, this.variable(name)] as const);
    return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
  }

  #expansion(streams: Streams): Expansion {
    const special: Record<string, () => string> = {
      '?': () => String(this.#exitCode),
      $: () => String(process.pid),
      '#': () => String(this.#arguments.length - 1),
      '@': () => this.#arguments.slice(1).join(' '),
      '*': () => this.#arguments.slice(1).join(' '),
      '!': () => '',
      PWD: () => this.#applet.files.workingDir,
    };
    return {
      files: this.#applet.files,
      valueOf: (name) =>
        special[name]?.() ?? (/^\d$/.test(name) ? this.#arguments[Number(name)] : this.variable(name)),
      assign: (name, value) => this.#variables.set(name, value),
      outputOf: async (source) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        const stdout = new Writable({
          write(chunk: Buffer, _encoding, done) {
            bytes += chunk.length;
            if (bytes <= outputBytesMax) chunks.push(chunk);
            done(bytes > outputBytesMax ? new Error('too much output') : null);
          },
        }).on('error', () => {});
        this.#exitCode = await this.#subshell(parse(source), { ...streams, stdout });
        if (bytes > outputBytesMax) throw new AppletError(`$(…) gives more than ${outputBytesMax} bytes`);
        return Buffer.concat(chunks).toString().replace(/\n+$/, '');
      },
    };
  }

  /** Runs with other streams, and waits until what was written to files is there. */
  async #redirected(
    redirections: Redirection[],
    streams: Streams,
    action: (own: Streams) => Promise<number>,
  ): Promise<number> {
    if (redirections.length === 0) return action(streams);
    const own = { ...streams };
    const opened: Writable[] = [];
    try {
      for (const redirection of redirections) await this.#redirect(redirection, own, opened);
    } catch (error) {
      if (error instanceof SyntaxProblem) throw error;
      await print(streams.stderr, `sh: ${error instanceof AppletError ? error.message : reasonOf(error)}\n`);
      return 1;
    }
    try {
      return await action(own);
    } finally {
      await Promise.all(opened.map((stream) => finished(stream.end()).catch(() => {})));
    }
  }

  async #redirect({ fd, operator, target }: Redirection, own: Streams, opened: Writable[]): Promise<void> {
    const name = await expandWord(target, this.#expansion(own));
    const { files } = this.#applet;
    if (operator === '<') {
      own.stdin =
        name === '/dev/null'
          ? Readable.from([])
          : createReadStream(await this.#named(name, () => files.toRead(name)));
      return;
    }
    const output: 'stdout' | 'stderr' = fd === 2 ? 'stderr' : 'stdout';
    if (operator === '>&' || name === '/dev/stdout' || name === '/dev/stderr') {
      if (!['1', '2', '/dev/stdout', '/dev/stderr'].includes(name))
        throw new SyntaxProblem(`">&${name}" is not supported by this shell`);
      own[output] = name === '2' || name === '/dev/stderr' ? own.stderr : own.stdout;
      return;
    }
    const stream =
      name === '/dev/null'
        ? new Writable({ write: (_chunk, _encoding, done) => done() })
        : createWriteStream(await this.#named(name, () => files.toWrite(name)), {
            flags: operator === '>>' ? 'a' : 'w',
          });
    await this.#named(name, () => opening(stream));
    stream.on('error', () => {});
    own[output] = stream;
    opened.push(stream);
  }

  async #named<T>(name: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw new AppletError(`can't open ${name}: ${reasonOf(error)}`);
    }
  }
}

/** Resolves when a file is open, so that a folder or a full disk shows before the command runs. */
function opening(stream: Writable): Promise<void> {
  if (!('pending' in stream)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    stream.once('open', () => resolve());
    stream.once('error', reject);
  });
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
