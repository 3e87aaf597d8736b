// What each profile spent on each of the last 14 days; asked for when the table is drawn, and now and then after that.

import { useEffect, useState } from "preact/hooks";
import { fetchDays } from "../api";
import { nameOf } from "../state";
import type { Days } from "./profile-row";

/** Milliseconds: only today's number changes. */
const PAUSE = 600_000;

/** Until then after a failure, and where nothing is known yet of a profile: it may have just been asked about. */
const SHORT_PAUSE = 60_000;

let known: Days | null = null;
let dueAt = 0;

/** Null before the answer, and where there is none: no history is kept, say. */
export function useDays(): Days | null {
  const [days, setDays] = useState(known);
  useEffect(() => {
    const ask = async () => {
      if (document.hidden || Date.now() < dueAt) return;
      dueAt = Date.now() + PAUSE;
      const { profiles } = await fetchDays();
      if (profiles.some(({ days }) => days.every((one) => one === null))) dueAt = Date.now() + SHORT_PAUSE;
      known = new Map(profiles.map((one) => [nameOf(one), one.days]));
      setDays(known);
    };
    const askAgain = () => void ask().catch(() => void (dueAt = Date.now() + SHORT_PAUSE));
    askAgain();
    const timer = setInterval(askAgain, SHORT_PAUSE / 2);
    return () => clearInterval(timer);
  }, []);
  return days;
}
