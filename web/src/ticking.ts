// The time now, for components that show it: one timer for all of them, idle while the tab is hidden.

import { useEffect, useState } from "preact/hooks";
import { type Dated, documentNow } from "./clock";

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  if (!document.hidden) for (const listener of listeners) listener();
}

/** The browser's clock, a second at a time. */
export function useNow(): number {
  const [, draw] = useState(0);
  useEffect(() => {
    const listener = () => draw(Date.now());
    listeners.add(listener);
    timer ??= setInterval(tick, 1000);
    document.addEventListener("visibilitychange", listener);
    return () => {
      document.removeEventListener("visibilitychange", listener);
      listeners.delete(listener);
      if (listeners.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  }, []);
  return Date.now();
}

/** Now in the document's time, a second at a time. */
export function useDocumentNow(held: Dated): number {
  return documentNow(held, useNow());
}
