// What all charts have in common: their colours, which are the page's, and whether they may move.

/** A colour of the page, by the name of its custom property: canvases know nothing of style sheets. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** How charts move: not at all for whoever asked for that. */
export function motion(): false | { duration: number } {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? false : { duration: 250 };
}

export function font(): { family: string; size: number } {
  return { family: getComputedStyle(document.body).fontFamily, size: 12 };
}
