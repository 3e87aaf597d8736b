// What each profile spent on each of the last 14 days; asked for when the table is drawn, and now and then after that.

import { useEffect, useState } from "preact/hooks";
import { fetchDays } from "../api";
import { nameOf } from "../state";
import type { Days } from "./profile-row";

/** Milliseconds: only today's number changes. */
const PAUSE = 600_000;

let known: Days | null = null;
let askedAt = -Infinity;

/** Null before the answer, and where there is none: no history is kept, say. */
export function useDays(): Days | null {
  const [days, setDays] = useState(known);
  useEffect(() => {
    const ask = async () => {
      if (document.hidden || Date.now() - askedAt < PAUSE) return;
      askedAt = Date.now();
      const { profiles } = await fetchDays();
      known = new Map(profiles.map((one) => [nameOf(one), one.days]));
      setDays(known);
    };
    const askAgain = () => void ask().catch(() => undefined);
    askAgain();
    const timer = setInterval(askAgain, PAUSE / 10);
    return () => clearInterval(timer);
  }, []);
  return days;
}
