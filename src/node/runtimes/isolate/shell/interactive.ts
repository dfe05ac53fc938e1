import { createInterface } from 'node:readline';
import { type Applet, print } from '../applets/applet.ts';
import { appletNames } from '../applets/index.ts';
import { Terminal } from '../terminal.ts';
import { Shell } from './run.ts';
import { parse } from './syntax.ts';
import { SyntaxProblem } from './words.ts';

const historyMax = 500;

/** Reads lines from a person and runs them until `exit` or ^D; resolves to the last exit code. */
export async function interact(shell: Shell, applet: Applet): Promise<number> {
  const history: string[] = [];
  for (;;) {
    const line = await readCommand(applet, history);
    if (line === undefined) {
      await print(applet.stdout, 'exit\n');
      return shell.exitCode;
    }
    if (line.trim() === '') continue;
    const exitCode = await runOne(shell, applet, line);
    if (exitCode !== undefined) return exitCode;
  }
}

/** A line, or several if quotes or an `if` are still open; undefined at ^D. */
async function readCommand(applet: Applet, history: string[]): Promise<string | undefined> {
  let text = '';
  for (;;) {
    const prompt = text === '' ? `${applet.files.workingDir} $ ` : '> ';
    const line = await ask(applet, prompt, history);
    if (line === undefined) return undefined;
    if (line === null) {
      text = '';
      continue;
    }
    text += line;
    try {
      parse(text);
      return text;
    } catch (error) {
      if (!(error instanceof SyntaxProblem) || !error.isIncomplete) return text;
      text += '\n';
    }
  }
}

/** Undefined at ^D, null at ^C. */
function ask(
  { stdin, stdout, files }: Applet,
  prompt: string,
  history: string[],
): Promise<string | null | undefined> {
  let isOpen = true;
  const lines = createInterface({
    input: stdin,
    output: stdout,
    terminal: true,
    prompt,
    history: [...history],
    historySize: historyMax,
    removeHistoryDuplicates: true,
    completer: (line: string, done: (error: null, found: [string[], string]) => void) => {
      // The line may have been entered meanwhile.
      const tell = (found: [string[], string]) => isOpen && done(null, found);
      complete(line, files).then(tell, () => tell([[], line]));
    },
  });
  return new Promise((resolve) => {
    // The first counts: closing tells of an end too.
    const end = (result: string | null | undefined) => {
      isOpen = false;
      resolve(result);
      lines.close();
    };
    lines.once('line', (line) => {
      if (line.trim() !== '') history.unshift(line);
      history.length = Math.min(history.length, historyMax);
      end(line);
    });
    lines.once('SIGINT', () => {
      stdout.write('^C\n');
      end(null);
    });
    lines.once('close', () => end(undefined));
    lines.prompt();
  });
}

/** Tab completes commands at the start of a line, and files elsewhere. */
async function complete(line: string, files: Applet['files']): Promise<[string[], string]> {
  const word = /\S*$/.exec(line)![0];
  if (word === line && !word.includes('/')) {
    return [appletNames.filter((name) => name.startsWith(word)).map((name) => `${name} `), word];
  }
  const slash = word.lastIndexOf('/') + 1;
  const [folder, start] = [word.slice(0, slash), word.slice(slash)];
  const entries = await files.list(folder || '.');
  const found = entries.filter(({ name }) => name.startsWith(start));
  return [found.map(({ name, isDirectory }) => `${folder}${name}${isDirectory ? '/' : ' '}`), word];
}

/** The exit code if the line ends the shell. */
async function runOne(shell: Shell, applet: Applet, line: string): Promise<number | undefined> {
  const interrupted = new AbortController();
  const { stdin } = applet;
  const foreground = stdin instanceof Terminal ? stdin.foreground(() => interrupted.abort()) : undefined;
  shell.signal = interrupted.signal;
  try {
    await shell.runLine(line, { ...applet, stdin: foreground?.stdin ?? stdin });
    return undefined;
  } catch (error) {
    const exitCode = Shell.leaving(error);
    if (exitCode !== undefined) return exitCode;
    const message =
      error instanceof SyntaxProblem ? `syntax error: ${error.message}` : (error as Error).message;
    await print(applet.stderr, `sh: ${message}\n`);
    return undefined;
  } finally {
    foreground?.release();
  }
}
