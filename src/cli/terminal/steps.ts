/** Tells a person what is going on: a line a step, with the time it took. */
export interface Steps {
  /** Runs `work`, shown as under way and then as done with its time; a failure is marked and thrown on. */
  run<T>(title: string, work: (note: (text: string) => void) => Promise<T>): Promise<T>;
}

const style = { dim: 2, red: 31, green: 32, cyan: 36, bold: 1 } as const;

/** `text` in a terminal style, or as it is where `stream` is no terminal or NO_COLOR is set. */
export function paint(stream: NodeJS.WriteStream, name: keyof typeof style, text: string): string {
  return stream.isTTY && !process.env.NO_COLOR ? `\u001b[${style[name]}m${text}\u001b[0m` : text;
}

export function createSteps(stream: NodeJS.WriteStream): Steps {
  return {
    async run(title, work) {
      const startMs = performance.now();
      let noted = '';
      if (stream.isTTY) stream.write(`  ${paint(stream, 'cyan', '…')} ${title}`);
      const done = (mark: string) => {
        const seconds = `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
        const line = `  ${mark} ${title}${noted && `: ${noted}`} ${paint(stream, 'dim', `(${seconds})`)}\n`;
        stream.write(stream.isTTY ? `\r\u001b[K${line}` : line);
      };
      try {
        const result = await work((text) => {
          noted = text;
        });
        done(paint(stream, 'green', '✓'));
        return result;
      } catch (error) {
        done(paint(stream, 'red', '✗'));
        throw error;
      }
    },
  };
}
