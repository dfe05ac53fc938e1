/** Whether a path, relative to the context with `/`, is left out of an image. */
export interface IgnoreRules {
  isIgnored(path: string): boolean;
  /** Whether nothing below an ignored folder can come back in, so that it need not be walked. */
  isFinal: boolean;
}

/**
 * Reads a `.dockerignore`: Go's `filepath.Match` patterns and `**`, one a line; `!` brings back; the last line that
 * matches a path or one of its folders decides. https://docs.docker.com/build/concepts/context/#dockerignore-files
 */
export function parseIgnoreFile(text: string): IgnoreRules {
  const rules = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const isException = line.startsWith('!');
      return { isException, matches: patternToRegExp(clean(isException ? line.slice(1) : line)) };
    });
  return {
    isFinal: rules.every((rule) => !rule.isException),
    isIgnored(path) {
      const last = rules.findLast((rule) => selfAndFolders(path).some((each) => rule.matches.test(each)));
      return last !== undefined && !last.isException;
    },
  };
}

/** Go's `filepath.Match`, with `**` for any number of folders. */
export function patternToRegExp(pattern: string): RegExp {
  let source = '';
  for (let at = 0; at < pattern.length; at++) {
    const rest = pattern.slice(at);
    if (rest.startsWith('**/')) {
      source += '(?:.*/)?';
      at += 2;
    } else if (rest.startsWith('**')) {
      source += '.*';
      at += 1;
    } else if (pattern[at] === '*') source += '[^/]*';
    else if (pattern[at] === '?') source += '[^/]';
    else if (/^\[\^?[^\]/]+\]/.test(rest)) {
      const group = /^\[\^?[^\]/]+\]/.exec(rest)![0];
      source += group.replaceAll('\\', '\\\\');
      at += group.length - 1;
    } else if (pattern[at] === '\\' && at + 1 < pattern.length) source += RegExp.escape(pattern[++at]!);
    else source += RegExp.escape(pattern[at]!);
  }
  return new RegExp(`^${source}$`, 's');
}

/** Go's `filepath.Clean` as far as patterns need it: no leading `/` or `./`, no trailing `/`. */
function clean(pattern: string): string {
  return pattern
    .trim()
    .replace(/^(?:\.?\/)+/, '')
    .replace(/\/+$/, '')
    .replace(/\/{2,}/g, '/');
}

function selfAndFolders(path: string): string[] {
  const parts = path.split('/');
  return parts.map((_, count) => parts.slice(0, count + 1).join('/'));
}
