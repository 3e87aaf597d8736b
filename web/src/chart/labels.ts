// Where words stand in the chart, so that none covers another or the line.

/** Pixels. */
export interface Point {
  x: number;
  y: number;
}

/** Pixels; of words. */
export interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** Words at a place of a line that goes from left to right; `x` is their middle. */
export interface Label {
  x: number;
  text: string;
}

/** The mean width of a character in a wide system font, in em: words must fit without being measured. */
const CHARACTER = 0.62;

export function textWidth(text: string, em: number): number {
  return text.length * CHARACTER * em;
}

/** In their order those that fit beside the ones before, each moved into the room from `left` to `right`. */
export function fitting(wanted: Label[], em: number, left: number, right: number, taken: Label[] = []): Label[] {
  const fits: Label[] = [];
  for (const { x, text } of wanted) {
    const half = textWidth(text, em) / 2;
    if (2 * half > right - left) continue;
    const middle = Math.min(Math.max(x, left + half), right - half);
    const isFree = [...taken, ...fits].every(
      (other) => Math.abs(other.x - middle) >= half + textWidth(other.text, em) / 2 + em * 0.8,
    );
    if (isFree) fits.push({ x: middle, text });
  }
  return fits;
}

/** The first of the boxes that is within the room and covers nothing; null if none is. */
export function freeBox<Place extends Box>(candidates: Place[], room: Box, boxes: Box[], lines: Point[][]): Place | null {
  const isFree = (box: Box) =>
    box.left >= room.left &&
    box.right <= room.right &&
    box.top >= room.top &&
    box.bottom <= room.bottom &&
    !boxes.some((other) => overlaps(box, other)) &&
    !lines.some((line) => crosses(line, box));
  return candidates.find(isFree) ?? null;
}

function overlaps(one: Box, other: Box): boolean {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}

/** Whether a line, whose points are in order from left to right, goes through a box. */
function crosses(line: Point[], box: Box): boolean {
  return line.some((end, index) => {
    const start = line[index - 1] ?? end;
    const [left, right] = [Math.max(start.x, box.left), Math.min(end.x, box.right)];
    if (left > right) return false;
    const [first, last] = [heightAt(start, end, left), heightAt(start, end, right)];
    return Math.min(first, last) <= box.bottom && Math.max(first, last) >= box.top;
  });
}

function heightAt(start: Point, end: Point, x: number): number {
  return end.x === start.x ? end.y : start.y + ((end.y - start.y) * (x - start.x)) / (end.x - start.x);
}
