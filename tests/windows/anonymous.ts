// Taking out of a report what tells who made it: names of the person and the machine,
// and where things are on it.

/** What is taken out, and what stands there instead. */
export type Secrets = readonly (readonly [secret: string, instead: string])[];

/** This machine's: folders, the user's name, the host's. */
export function secrets(root: URL): Secrets {
  const env = (...names: string[]) =>
    names.map((name) => Deno.env.get(name) ?? "");
  const folder = decodeURI(root.pathname).replace(/^\/(?=[A-Za-z]:)/, "");
  const all: [string, string][] = [
    [folder.replace(/\/$/, ""), "(icebp)"],
    [Deno.cwd(), "(here)"],
    [Deno.execPath(), "(deno)"],
    ...env("TMPDIR", "TEMP", "TMP").map((path): [string, string] => [
      path,
      "(temporary)",
    ]),
    ...env("USERPROFILE", "HOME").map((path): [string, string] => [
      path,
      "(home)",
    ]),
    ...env("USERNAME", "USER", "LOGNAME").map((name): [string, string] => [
      name,
      "(user)",
    ]),
    [Deno.hostname(), "(host)"],
  ];
  // Of a part of another the longer goes first; a root folder tells nothing.
  return all.filter(([secret]) => secret.length > 1)
    .sort(([a], [b]) => b.length - a.length);
}

/** `text` without secrets, however their slashes and letters' cases are; a name is one
 * only as a whole word. */
export function anonymous(text: string, found: Secrets): string {
  for (const [secret, instead] of found) {
    const pattern = secret.split(/[\\/]/)
      .map((part) => RegExp.escape(part).replaceAll("\\x20", "(?: |%20)"))
      .join(String.raw`(?:/|\\+)`);
    text = text.replaceAll(
      new RegExp(`(?<![\\w-])${pattern}(?![\\w-])`, "gi"),
      instead,
    );
  }
  return text;
}
