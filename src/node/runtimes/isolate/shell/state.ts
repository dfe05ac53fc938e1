/** What a shell remembers from one command to the next. */
export class ShellState {
  readonly variables: Map<string, string>;
  readonly exported: Set<string>;
  /** Its name, then `$1` and on. */
  args: string[] = ['sh'];
  exitCode = 0;
  exitsOnError = false;
  isTraced = false;

  constructor(variables: Map<string, string>, exported: Set<string>) {
    this.variables = variables;
    this.exported = exported;
  }

  /** That of a new shell, which exports what it was given. */
  static of(env: Record<string, string | undefined>): ShellState {
    const given = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return new ShellState(new Map([['HOME', '/'], ...given]), new Set(given.map(([name]) => name)));
  }

  /** That of a subshell: what it sets is its own. */
  copy(): ShellState {
    const { args, exitCode, exitsOnError, isTraced } = this;
    const copy = new ShellState(new Map(this.variables), new Set(this.exported));
    return Object.assign(copy, { args: [...args], exitCode, exitsOnError, isTraced });
  }

  /** What a command is given. */
  environment(): Record<string, string> {
    const isExported = ([name]: [string, string]) => this.exported.has(name);
    return Object.fromEntries([...this.variables].filter(isExported));
  }
}
