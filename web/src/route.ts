// What the address says: which page is shown, and whether it is for a wall. No router: there are three pages.

const KEY = "#/key/";
const ACCOUNT = "#/account";

/** The table of keys; the key's page where there is only one. */
export const HOME = "#/";

export interface Route {
  page: "home" | "key" | "account";
  /** The profile that the address names, "" for the unnamed one; null where it names none. */
  profile: string | null;
}

/** `prod agent`'s page for `#/key/prod%20agent`; the first page for what is no address of this page. */
export function routeOf(hash: string): Route {
  const [page, named] = hash.startsWith(KEY)
    ? (["key", hash.slice(KEY.length)] as const)
    : hash === ACCOUNT || hash.startsWith(`${ACCOUNT}/`)
      ? (["account", hash.slice(ACCOUNT.length + 1)] as const)
      : (["home", ""] as const);
  try {
    const profile = decodeURIComponent(named);
    return { page, profile: page === "home" || hash === ACCOUNT ? null : profile };
  } catch {
    return { page: "home", profile: null };
  }
}

/** The address of a profile's page. */
export function addressOf(profile: string): string {
  return KEY + encodeURIComponent(profile);
}

/** The address of what a profile's management key sees. */
export function accountAddressOf(profile: string): string {
  return `${ACCOUNT}/${encodeURIComponent(profile)}`;
}

/** Whether strip and chart are shown alone, in large type: `?wall`. */
export function isWall(search: string): boolean {
  return new URLSearchParams(search).has("wall");
}
