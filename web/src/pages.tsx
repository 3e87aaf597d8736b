// The pages whose code is loaded when they are opened: of several keys, and of an account.

import type { ComponentChildren, ComponentType } from "preact";
import { useLater } from "./later";
import type { View } from "./state";

export interface PageShown {
  view: View;
  /** The page's header, with what stands at its left; `onRefresh` where that asks for something else than a key. */
  header: (left: ComponentChildren, onRefresh?: (() => void) | null) => ComponentChildren;
}

export const loadTable = () => import("./keys/page").then((module) => module.KeysPage);

export const loadAccount = () => import("./account/page").then((module) => module.AccountPage);

interface Later extends PageShown {
  load: () => Promise<ComponentType<PageShown>>;
  /** Until it has come. */
  title: string;
}

export function LaterPage({ load, title, ...shown }: Later) {
  const page = useLater(load, shown);
  if (page !== null && page !== "failed") return <page.Part {...shown} />;
  return (
    <>
      {shown.header(
        <div class="whose">
          <h1>{title}</h1>
        </div>,
      )}
      <main>
        <p class="card soft">{page === "failed" ? "This page could not be loaded. Reload it to try again." : "Loading…"}</p>
      </main>
    </>
  );
}
