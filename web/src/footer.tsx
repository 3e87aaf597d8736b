// Whose numbers these are, and in which time zone.

import type { Held } from "./clock";
import { instant, zoneName } from "./format";
import { useDocumentNow } from "./ticking";

export function Footer({ held }: { held: Held | null }) {
  return (
    <footer class="foot soft">
      {held !== null && <KeyLine held={held} />}
      <p data-testid="zone">Times are in {zoneName()}.</p>
    </footer>
  );
}

function KeyLine({ held }: { held: Held }) {
  const now = useDocumentNow(held);
  const { key } = held.balance;
  const parts = [`Key ${key.label ?? "(no label)"}`];
  if (key.isManagementKey === true) parts.push("management key");
  if (key.isFreeTier === true) parts.push("free tier");
  if (key.expiresAt !== null) {
    const word = Date.parse(key.expiresAt) <= now ? "expired" : "expires";
    parts.push(`${word} on ${instant(key.expiresAt, now)}`);
  }
  return <p data-testid="key">{parts.join(" · ")}</p>;
}
