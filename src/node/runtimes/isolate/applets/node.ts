import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import vm from 'node:vm';
import { type Applet, AppletError, print, type RunApplet } from './applet.ts';

/** A script that comes through standard input may be this long. */
const scriptBytesMax = 16 * 1024 * 1024;

/** `node`: a script of the container, `-e`, `-p`, a script from standard input, or the REPL. It runs in this very process. */
export const node: RunApplet = async (applet) => {
  const [first, ...rest] = applet.args;
  const { stdout } = applet;
  if (first === '-v' || first === '--version') {
    await print(stdout, `${process.version}\n`);
    return 0;
  }
  if (first === '-e' || first === '--eval' || first === '-p' || first === '--print' || first === '-pe') {
    const [code, ...args] = rest;
    if (code === undefined) throw new AppletError(`${first} requires an argument`, 9);
    const isShown = first !== '-e' && first !== '--eval';
    return withProcess(applet, args, async () => {
      const value = await evaluate(applet, code);
      if (isShown) await print(stdout, `${typeof value === 'string' ? value : inspect(value)}\n`);
    });
  }
  if (first === undefined || first === '-' || first === '-i') {
    if (first !== '-' && applet.isTerminal) return repl(applet);
    const code = await textOf(applet);
    return withProcess(applet, rest, async () => void (await evaluate(applet, code)));
  }
  if (first.startsWith('-')) {
    throw new AppletError(`option ${first} is not supported in a pod; there are -e, -p, -v and a script`, 9);
  }
  const hostPath = await script(applet, first);
  return withProcess(applet, [hostPath, ...rest], async () => {
    // A second run in one shell is a second run of the module.
    const url = pathToFileURL(hostPath);
    if (runs++ > 0) url.searchParams.set('run', String(runs));
    await import(url.href);
  });
};

let runs = 0;

async function script({ files }: Applet, name: string): Promise<string> {
  const found = await files.stat(name).catch(() => undefined);
  if (!found) throw new AppletError(`Cannot find module '${files.absolute(name)}'`);
  return files.toRead(name);
}

async function textOf({ stdin }: Applet): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    bytes += (chunk as Buffer).length;
    if (bytes > scriptBytesMax) throw new AppletError(`the script is longer than ${scriptBytesMax} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}

/** As CommonJS, as node does; what uses `import` or top-level `await` as a module. */
async function evaluate({ files }: Applet, code: string): Promise<unknown> {
  const folder = await files.toRead('.').catch(() => process.cwd());
  await turn();
  const require = createRequire(path.join(folder, '[eval]'));
  Object.assign(globalThis, { require, module: { exports: {} }, exports: {} });
  let compiled: vm.Script;
  try {
    compiled = new vm.Script(code, {
      filename: '[eval]',
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
  } catch (error) {
    const message = (error as Error).message;
    if (!/import statement|export|await is only valid|import\.meta/i.test(message)) throw error;
    await import(`data:text/javascript,${encodeURIComponent(code)}`);
    return undefined;
  }
  return compiled.runInThisContext();
}

/**
 * What goes wrong on `process.nextTick` in code that runs as a file operation ends is lost without a word (Node 26): an
 * error of a socket that nobody listens for, above all.
 */
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** The program's arguments, environment and output; what it throws ends it as it would end node. */
async function withProcess(applet: Applet, args: string[], action: () => Promise<void>): Promise<number> {
  const restoreOutput = redirect(applet);
  const argvBefore = process.argv;
  process.argv = [process.execPath, ...args];
  const envBefore = { ...process.env };
  Object.assign(process.env, applet.env);
  try {
    await turn();
    await action();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    await print(applet.stderr, `${inspect(error)}\n`);
    return 1;
  } finally {
    restoreOutput();
    process.argv = argvBefore;
    for (const name of Object.keys(process.env)) if (!(name in envBefore)) delete process.env[name];
  }
}

/** In a pipeline what the program prints goes to the next command. */
function redirect(applet: Applet): () => void {
  const restore = (['stdout', 'stderr'] as const).map((name) => {
    const stream = process[name];
    const target = applet[name];
    if (target === (stream as unknown)) return () => {};
    const write = stream.write;
    stream.write = target.write.bind(target) as typeof write;
    return () => {
      stream.write = write;
    };
  });
  return () => {
    for (const each of restore) each();
  };
}

async function repl({ stdin, stdout }: Applet): Promise<number> {
  const { start } = await import('node:repl');
  await print(stdout, `Welcome to Node.js ${process.version}.\nType ".help" for more information.\n`);
  const session = start({ prompt: '> ', input: stdin, output: stdout, terminal: true, useGlobal: true });
  return new Promise((resolve) => session.once('exit', () => resolve(0)));
}
