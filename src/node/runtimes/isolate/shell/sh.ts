import { AppletError, parseOptions, print, type RunApplet } from '../applets/applet.ts';
import { reading } from '../applets/text.ts';
import { interact } from './interactive.ts';
import { Shell } from './run.ts';
import { ShellState } from './state.ts';

/** A script may be this long. */
const scriptBytesMax = 1024 * 1024;

/** A small POSIX shell: `-c`, a script, a script from standard input, or a person at a terminal. */
export const sh: RunApplet = async (applet) => {
  const optionsEnd = applet.args.findIndex((word) => !word.startsWith('-') || word === '-');
  const words = optionsEnd < 0 ? applet.args : applet.args.slice(0, optionsEnd);
  const operands = optionsEnd < 0 ? [] : applet.args.slice(optionsEnd);
  const { flags } = parseOptions(words, 'cilesxu');
  const state = ShellState.of(applet.env);
  state.exitsOnError = flags.e !== undefined;
  state.isTraced = flags.x !== undefined;
  const shell = new Shell(applet, state);
  if (flags.c !== undefined) {
    const [source, name = 'sh', ...args] = operands;
    if (source === undefined) throw new AppletError('-c requires an argument', 2);
    state.args = [name, ...args];
    return shell.runScript(source);
  }
  const [script, ...args] = operands;
  if (script === undefined && applet.isTerminal) return interact(shell, applet);
  state.args = [script ?? 'sh', ...args];
  let source = '';
  for await (const chunk of await reading(applet, script ?? '-')) {
    source += chunk;
    if (source.length > scriptBytesMax)
      throw new AppletError(`the script is longer than ${scriptBytesMax} bytes`, 2);
  }
  if (applet.isTerminal) await print(applet.stdout, '');
  return shell.runScript(source);
};
