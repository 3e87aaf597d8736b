// What d3-scale needs of d3-interpolate and d3-format for a scale of numbers: these two can also interpolate colours, dates
// and texts, and write numbers in any way, which is a tenth of the page. vite.config.ts puts this module in their place.

export function interpolateNumber(from: number, to: number): (part: number) => number {
  return (part) => from * (1 - part) + to * part;
}

export { interpolateNumber as interpolate, interpolateNumber as interpolateRound };

function never(): never {
  throw new Error("the page writes its numbers itself");
}

export {
  never as format,
  never as formatPrefix,
  never as formatSpecifier,
  never as piecewise,
  never as precisionFixed,
  never as precisionPrefix,
  never as precisionRound,
};
