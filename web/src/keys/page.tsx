// The page of several keys: a table, the worst first.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { count } from "../format";
import { Ring } from "../header";
import { show } from "../icon";
import type { PageShown } from "../pages";
import { colourOf } from "../ring";
import { isOld } from "../state";
import { useDays } from "./days";
import { ProfileRows } from "./profile-row";
import { type Column, counted, type Group, type KeyRow } from "./row";
import { KeyTable } from "./table";

const COLUMNS: readonly Column[] = ["status", "name", "spendable", "left", "today", "days", "end", "age"];

export function KeysPage({ view, header }: PageShown) {
  const days = useDays();
  const [profileRows] = useState(() => new ProfileRows());
  const rows = useMemo(() => profileRows.of(view.profiles, days), [view.profiles, days]);
  const groups = useMemo(() => counted(rows), [rows]);
  const areOld = view.unreachable !== null;
  // Not before every key has been asked about for the first time.
  const areAll = rows.length === view.profileCount && !rows.some(({ status }) => status === "asking");
  const ring = { colour: colourOfAll(rows, groups, areOld), left: groups[0]?.id === "exhausted" ? 0 : 100 };
  useEffect(() => show(`${groups.map(inWords).join(" · ")}${areOld ? " (stale)" : ""} · orcredit`, ring));
  useReturn();
  const title = `${count(view.profileCount)} keys`;
  return (
    <>
      {header(
        <div class="whose">
          <Ring {...ring} />
          <h1>{title}</h1>
        </div>,
      )}
      <main class={areOld || isOld(view) ? "old" : ""}>
        <KeyTable title="Keys" rows={rows} columns={COLUMNS} name="profiles" />
      </main>
      <p class="unseen" role="status" aria-live="polite">
        {useAnnouncement(groups, areAll)}
      </p>
    </>
  );
}

function inWords({ count: number, word }: Group & { count: number }): string {
  return `${count(number)} ${word}`;
}

/** The worst key's. */
function colourOfAll(rows: readonly KeyRow[], groups: readonly Group[], areOld: boolean): string {
  const has = (...ids: string[]) => groups.some(({ id }) => ids.includes(id));
  if (areOld || rows.length === 0) return colourOf(null, false);
  if (has("exhausted", "low", "runaway")) return colourOf("low", false);
  return colourOf(has("ok", "unlimited") || !has("failed") ? "ok" : null, rows.some(({ needsAttention }) => needsAttention));
}

/** How many keys are how, when the worst of these changes: a thousand keys change all the time. */
function useAnnouncement(groups: (Group & { count: number })[], areAll: boolean): string {
  const [said, say] = useState("");
  const worst = areAll ? groups[0]?.id : undefined;
  useEffect(() => {
    if (worst !== undefined) say(`${groups.map(inWords).join(", ")}.`);
  }, [worst]);
  return said;
}

/** Where the window stood when a key's page was opened, and that key's link. */
let left: { at: number; address: string | null } | null = null;

/** Coming back, the table is as it was left, and the focus on the same key. */
function useReturn(): void {
  const opened = useRef<string | null>(null);
  useLayoutEffect(() => {
    if (left !== null) {
      scrollTo(0, left.at);
      const links = [...document.querySelectorAll<HTMLAnchorElement>("main a")];
      links.find((link) => link.getAttribute("href") === left?.address)?.focus({ preventScroll: true });
    }
    const note = () => void (opened.current = document.activeElement?.getAttribute("href") ?? null);
    document.addEventListener("click", note);
    return () => {
      document.removeEventListener("click", note);
      left = { at: scrollY, address: opened.current };
    };
  }, []);
}
