/** Replaces `$(NAME)` by its value; `$$` escapes, and a name that isn't known stays as written (Kubernetes' rule). */
export function expand(text: string, values: Record<string, string>): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (whole, after: string, name: string) => {
    if (after === '$') return '$';
    return Object.hasOwn(values, name) ? values[name]! : whole;
  });
}
