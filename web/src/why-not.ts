// Why there is no history to show.

import { Refusal } from "./api";
import { openEnded } from "./format";

export function whyNot(error: unknown): string {
  if (!(error instanceof Refusal)) return "The history could not be fetched: this page cannot reach orcredit.";
  if (error.problem.code === "no_history") return "orcredit was started with --no-history, so nothing is recorded.";
  return `The history cannot be read: ${openEnded(error.problem.error)}. ${error.problem.hint}`.trim();
}
