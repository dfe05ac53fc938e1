import { PassThrough, Readable } from 'node:stream';

/** Where a terminal's input comes from: the process's own standard input, a pipe. */
interface RawInput extends Readable {
  ref?(): void;
  unref?(): void;
}

type Output = NodeJS.WriteStream;

const key = {
  interrupt: 3,
  end: 4,
  backspace: 8,
  enter: 13,
  newline: 10,
  killWord: 23,
  killLine: 21,
  quit: 28,
  del: 127,
};
/** A line that is longer is passed on as it is. */
export const lineBytesMax = 4096;

/**
 * A terminal without a device: Node can't open a pseudo terminal, so the line discipline of one is kept here, in the
 * process itself. Lines can be edited and are echoed; ^C interrupts, ^D ends; `setRawMode` turns all of that off, which
 * is what readline and the REPL do. Line ends of the output are the other side's work.
 */
export class Terminal extends Readable {
  readonly isTTY = true;
  isRaw = false;
  readonly fd = 0;
  readonly #input: RawInput;
  readonly #output: Output;
  #line: number[] = [];
  #foreground: PassThrough | undefined;
  #onInterrupt: (() => void) | undefined;
  #isBegun = false;

  constructor(input: RawInput, output: Output) {
    super({ highWaterMark: 64 * 1024 });
    this.#input = input;
    this.#output = output;
  }

  /** Puts the terminal in the place of the process's standard streams. */
  install(size: { columns: number; rows: number }): void {
    Object.defineProperty(process, 'stdin', { configurable: true, enumerable: true, get: () => this });
    for (const stream of [process.stdout, process.stderr]) {
      Object.assign(stream, {
        isTTY: true,
        getWindowSize: () => [stream.columns, stream.rows],
        hasColors: () => true,
        getColorDepth: () => 4,
        clearLine: (_dir: number, done?: () => void) => stream.write('\x1b[2K\r', done),
      });
    }
    this.resize(size);
    this.#begin();
    this.unref();
  }

  resize({ columns, rows }: { columns: number; rows: number }): void {
    for (const stream of [process.stdout, process.stderr]) {
      Object.assign(stream, { columns, rows });
      stream.emit('resize');
    }
    process.emit('SIGWINCH', 'SIGWINCH');
  }

  setRawMode(isRaw: boolean): this {
    this.isRaw = isRaw;
    if (isRaw && this.#line.length > 0) this.#deliver();
    return this;
  }

  /** Gives the lines that are typed from now on to one command, until it is released; ^C is told to it alone. */
  foreground(onInterrupt: () => void): { stdin: Readable; release(): void } {
    const stdin = new PassThrough();
    this.#foreground = stdin;
    this.#onInterrupt = onInterrupt;
    this.ref();
    return {
      stdin,
      release: () => {
        stdin.destroy();
        this.#foreground = undefined;
        this.#onInterrupt = undefined;
      },
    };
  }

  ref(): this {
    this.#input.ref?.();
    return this;
  }

  unref(): this {
    this.#input.unref?.();
    return this;
  }

  override _read(): void {
    this.#begin();
    this.ref();
  }

  override pause(): this {
    this.unref();
    return super.pause();
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#input.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#input.on('end', () => {
      this.#foreground?.end();
      this.push(null);
    });
    this.#input.on('error', () => {});
  }

  #take(chunk: Buffer): void {
    if (this.isRaw && !this.#foreground) {
      this.push(chunk);
      return;
    }
    for (const byte of chunk) this.#typed(byte);
  }

  #typed(byte: number): void {
    if (byte === key.interrupt) this.#signal('^C', 'SIGINT');
    else if (byte === key.quit) this.#signal('^\\', 'SIGQUIT');
    else if (byte === key.end) this.#line.length > 0 ? this.#deliver() : this.#end();
    else if (byte === key.enter || byte === key.newline) {
      this.#line.push(key.newline);
      this.#output.write('\n');
      this.#deliver();
    } else if (byte === key.backspace || byte === key.del) this.#erase(1);
    else if (byte === key.killLine) this.#erase(this.#line.length);
    else if (byte === key.killWord) this.#erase(lastWordLength(this.#line));
    else this.#show(byte);
  }

  #show(byte: number): void {
    this.#line.push(byte);
    const isControl = byte < 32 && byte !== 9;
    this.#output.write(isControl ? `^${String.fromCharCode(byte + 64)}` : Buffer.of(byte));
    if (this.#line.length >= lineBytesMax) this.#deliver();
  }

  #erase(count: number): void {
    for (let left = Math.min(count, this.#line.length); left > 0; left--) {
      // All bytes of one character go at once.
      while ((this.#line.pop()! & 0xc0) === 0x80 && this.#line.length > 0);
      this.#output.write('\b \b');
      if (this.#line.length === 0) return;
    }
  }

  #deliver(): void {
    const line = Buffer.from(this.#line);
    this.#line = [];
    if (this.#foreground) this.#foreground.write(line);
    else this.push(line);
  }

  #end(): void {
    if (this.#foreground) this.#foreground.end();
    else this.push(null);
  }

  #signal(shown: string, signal: 'SIGINT' | 'SIGQUIT'): void {
    this.#line = [];
    this.#output.write(`${shown}\n`);
    if (!this.#onInterrupt) return void process.kill(process.pid, signal);
    this.#onInterrupt();
    // Who waits for input waits no longer.
    this.#foreground?.end();
  }
}

function lastWordLength(line: number[]): number {
  const text = Buffer.from(line).toString();
  return text.length - text.replace(/\S*\s*$/, '').length;
}
