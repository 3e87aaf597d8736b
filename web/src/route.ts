// What the address says: which key's page it is, and whether it is for a wall. No router: there are two questions.

const KEY = "#/key/";

/** The profile that the address names: `prod agent` for `#/key/prod%20agent`; null where it names none. */
export function profileIn(hash: string): string | null {
  if (!hash.startsWith(KEY)) return null;
  try {
    return decodeURIComponent(hash.slice(KEY.length));
  } catch {
    return null; // not an address of this page
  }
}

/** The address of a profile's page. */
export function addressOf(profile: string): string {
  return KEY + encodeURIComponent(profile);
}

/** Whether strip and chart are shown alone, in large type: `?wall`. */
export function isWall(search: string): boolean {
  return new URLSearchParams(search).has("wall");
}
