/**
 * The paths of object members that occur twice in a JSON text, which `JSON.parse` keeps silent about. The text must
 * be valid JSON.
 */
export function duplicateFields(json: string): string[] {
  const found: string[] = [];
  const stack: { path: string; names?: Set<string>; index: number; name: string }[] = [];
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],]/gs;
  const colon = /\s*:/y;
  const here = () => {
    const top = stack.at(-1);
    if (!top) return '';
    if (!top.names) return `${top.path}[${top.index}]`;
    return top.path === '' ? top.name : `${top.path}.${top.name}`;
  };
  const isName = (end: number) => {
    colon.lastIndex = end;
    return colon.test(json);
  };
  for (let match = token.exec(json); match; match = token.exec(json)) {
    const [text] = match;
    const top = stack.at(-1);
    if (text === '{') stack.push({ path: here(), names: new Set(), index: 0, name: '' });
    else if (text === '[') stack.push({ path: here(), index: 0, name: '' });
    else if (text === '}' || text === ']') stack.pop();
    else if (text === ',') top!.index++;
    else if (top?.names && isName(token.lastIndex)) {
      top.name = JSON.parse(text);
      if (top.names.has(top.name)) found.push(here());
      top.names.add(top.name);
    }
  }
  return found;
}
