import { PassThrough, Writable } from 'node:stream';
import { type Applet, AppletError, print } from '../applets/applet.ts';
import { appletNamed, runCommand } from '../applets/index.ts';
import { builtinNamed, Leave } from './builtins.ts';
import { type Expansion, expandWord, expandWords } from './expand.ts';
import { redirected, type Streams } from './redirect.ts';
import { ShellState } from './state.ts';
import { type Command, parse, type Redirection } from './syntax.ts';
import { SyntaxProblem } from './words.ts';

/** The output of a command in `$(…)` may be this long. */
const outputBytesMax = 16 * 1024 * 1024;
const depthMax = 200;

/** Runs parsed commands, with variables and a working folder of its own. */
export class Shell {
  readonly #applet: Applet;
  readonly #state: ShellState;
  #depth = 0;
  /** Above 0 where a failure is an answer (the condition of an `if`), which doesn't end a shell with `set -e`. */
  #conditions = 0;
  /** Replaced for each line that a person enters, so that ^C ends that line only. */
  signal: AbortSignal;

  constructor(applet: Applet, state: ShellState = ShellState.of(applet.env)) {
    this.#applet = applet;
    this.#state = state;
    this.signal = applet.signal;
  }

  get exitCode(): number {
    return this.#state.exitCode;
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
      this.#state.exitCode = await this.#evaluate(command, streams);
      return this.#state.exitCode;
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
        const left = await this.#condition(command.left, streams);
        return (left === 0) === (command.kind === 'and') ? this.#run(command.right, streams) : left;
      }
      case 'pipeline': {
        if (!command.isNegated) return this.#pipeline(command.commands, streams);
        return Number((await this.#pipeline(command.commands, streams)) === 0);
      }
      case 'group':
        return this.#redirected(command.redirections, streams, (own) =>
          command.isSubshell ? this.#subshell(command.body, own) : this.#run(command.body, own),
        );
      case 'if': {
        for (const { condition, body } of command.branches) {
          if ((await this.#condition(condition, streams)) === 0) return this.#run(body, streams);
        }
        return command.otherwise ? this.#run(command.otherwise, streams) : 0;
      }
      case 'loop':
        return this.#loop(command.body, streams, async () => {
          return ((await this.#condition(command.condition, streams)) === 0) !== command.isUntil;
        });
      case 'for': {
        const values = await expandWords(command.words, this.#expansion(streams));
        return this.#loop(command.body, streams, async () => {
          const value = values.shift();
          if (value !== undefined) this.#state.variables.set(command.name, value);
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
      if (exitCode !== 0 && this.#endsAfter(command)) throw new Leave('exit', exitCode);
    }
    return exitCode;
  }

  /** Whether `set -e` ends the shell when this fails. */
  #endsAfter(command: Command): boolean {
    const isTested =
      this.#conditions > 0 ||
      command.kind === 'and' ||
      command.kind === 'or' ||
      (command.kind === 'pipeline' && command.isNegated);
    return this.#state.exitsOnError && !isTested;
  }

  async #condition(command: Command, streams: Streams): Promise<number> {
    this.#conditions++;
    try {
      return await this.#run(command, streams);
    } finally {
      this.#conditions--;
    }
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
    const copy = new Shell({ ...this.#applet, files: this.#applet.files.copy() }, this.#state.copy());
    copy.signal = this.signal;
    copy.#conditions = this.#conditions;
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
    if (this.#state.isTraced) await print(streams.stderr, `+ ${words.join(' ')}\n`);
    const [name, ...args] = words;
    if (name === undefined) {
      for (const [variable, value] of assigned) this.#state.variables.set(variable, value);
      return 0;
    }
    const applet = { ...this.#applet, ...streams, signal: this.signal };
    const builtin = builtinNamed(name);
    if (builtin) return builtin(args, this.#state, applet);
    const env = { ...this.#state.environment(), ...Object.fromEntries(assigned) };
    if (appletNamed(name) === undefined) {
      const why = name.includes('/') ? `${name}: No such file or directory` : `${name}: not found`;
      await print(streams.stderr, `sh: ${why}\n`);
      return 127;
    }
    return runCommand({ ...applet, env, isTerminal: false }, words);
  }

  #expansion(streams: Streams): Expansion {
    const special: Record<string, () => string> = {
      '?': () => String(this.#state.exitCode),
      $: () => String(process.pid),
      '#': () => String(this.#state.args.length - 1),
      '@': () => this.#state.args.slice(1).join(' '),
      '*': () => this.#state.args.slice(1).join(' '),
      '!': () => '',
      PWD: () => this.#applet.files.workingDir,
    };
    return {
      files: this.#applet.files,
      valueOf: (name) =>
        special[name]?.() ??
        (/^\d$/.test(name) ? this.#state.args[Number(name)] : this.#state.variables.get(name)),
      assign: (name, value) => this.#state.variables.set(name, value),
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
        this.#state.exitCode = await this.#subshell(parse(source), { ...streams, stdout });
        if (bytes > outputBytesMax) throw new AppletError(`$(…) gives more than ${outputBytesMax} bytes`);
        return Buffer.concat(chunks).toString().replace(/\n+$/, '');
      },
    };
  }

  #redirected(
    redirections: Redirection[],
    streams: Streams,
    action: (own: Streams) => Promise<number>,
  ): Promise<number> {
    return redirected(redirections, streams, (own) => this.#expansion(own), action);
  }
}
