// What follows the numbers without changing them: the tab's title and icon, what is announced, and what is wrong.

import { useEffect, useRef, useState } from "preact/hooks";
import { REFRESHED, whatChanged } from "./announce";
import { showInTab } from "./icon";
import { Notices } from "./notices";
import { NOTHING, type View, viewOf } from "./state";

export function Afterwards({ view }: { view: View }) {
  useEffect(() => showInTab(view), [view]);
  return (
    <>
      {(view.page !== "account" || view.unreachable !== null) && <Notices view={view} />}
      <p class="unseen" role="status" aria-live="polite" data-testid="announcement">
        {useAnnouncement(view)}
      </p>
    </>
  );
}

function useAnnouncement(view: View): string {
  // What is on the page when this begins is announced, too.
  const before = useRef<View>({ ...viewOf({ ...NOTHING, route: { page: "home", profile: null } }), name: view.name, page: view.page });
  const hasSaidSince = useRef(false);
  const [said, say] = useState("");
  useEffect(() => {
    if (view.isRefreshing && !before.current.isRefreshing) hasSaidSince.current = false;
    const sentence = whatChanged(before.current, view);
    before.current = view;
    // The stream may announce the refresh's result first; "Refreshed." must not replace that.
    if (sentence === null || (sentence === REFRESHED && hasSaidSince.current)) return;
    hasSaidSince.current = true;
    say(sentence);
  }, [view]);
  return said;
}
