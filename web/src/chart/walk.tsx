// The layer above the chart that pointer and arrow keys move on: a slider over its stops, with a tooltip.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { clamp } from "./range";
import type { Scene } from "./scene";
import { nearest, type Stop } from "./stops";

const PAGE = 10;

/** What a cursor can move on. */
export type Ground = Pick<Scene, "frame" | "x" | "y" | "bars">;

interface Walked {
  scene: Ground;
  stops: Stop[];
  now: number;
  label: string;
}

export function Walk({ scene, stops, now, label }: Walked) {
  const [index, setIndex] = useState<number | null>(null);
  // A new history may have fewer stops.
  const shown = index === null ? null : Math.min(index, stops.length - 1);
  const stop = shown === null ? undefined : stops[shown];
  const last = stops.length - 1;
  const current = shown ?? last;

  const point = (event: PointerEvent) => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    // Not where the page is printed or zoomed: then the picture is scaled.
    const x = ((event.clientX - box.left) / (box.width || 1)) * scene.frame.width;
    setIndex(nearest(stops, scene.x.invert(x)));
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "Escape") return setIndex(null);
    const next = nextIndex(event.key, shown, last);
    if (next === null || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    setIndex(next);
  };
  return (
    <>
      <div
        class="chart-walk"
        tabIndex={0}
        role="slider"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={Math.max(last, 0)}
        aria-valuenow={Math.max(current, 0)}
        aria-valuetext={(stop ?? stops[current])?.words(now).join(", ") ?? "nothing yet"}
        onPointerDown={point}
        onPointerMove={point}
        onPointerLeave={(event) => event.pointerType === "mouse" && setIndex(null)}
        onKeyDown={press}
        onFocus={(event) => event.currentTarget.matches(":focus-visible") && setIndex((old) => old ?? last)}
        onBlur={() => setIndex(null)}
      />
      {stop !== undefined && <Cursor scene={scene} stop={stop} now={now} />}
    </>
  );
}

/** Where a key leads; null for a key that leads nowhere. */
export function nextIndex(key: string, index: number | null, last: number): number | null {
  const from = index ?? last;
  const steps: Record<string, number> = {
    ArrowLeft: from - 1,
    ArrowDown: from - 1,
    ArrowRight: from + 1,
    ArrowUp: from + 1,
    PageDown: from - PAGE,
    PageUp: from + PAGE,
    Home: 0,
    End: last,
  };
  const next = steps[key];
  return next === undefined || last < 0 ? null : Math.min(Math.max(next, 0), last);
}

function Cursor({ scene, stop, now }: { scene: Ground; stop: Stop; now: number }) {
  const { frame } = scene;
  const x = scene.x(stop.at);
  const bar = stop.bar === null ? undefined : scene.bars[stop.bar];
  return (
    <>
      <svg class="chart-cursor" viewBox={`0 0 ${frame.width} ${frame.height}`} aria-hidden="true">
        <line x1={x} x2={x} y1={frame.above.top} y2={frame.below.bottom} />
        {bar !== undefined && <rect x={bar.x} y={bar.y} width={bar.width} height={bar.height} rx={2} />}
        {stop.usd !== null && <circle cx={x} cy={scene.y(stop.usd)} r={4} />}
      </svg>
      <Tooltip x={x} scene={scene} lines={stop.words(now)} />
    </>
  );
}

/** Beside the cursor; below the line where there is no room for that; never beyond the chart. */
function Tooltip({ x, scene, lines }: { x: number; scene: Ground; lines: string[] }) {
  const element = useRef<HTMLDivElement>(null);
  const { width, em, above, strip } = scene.frame;
  useLayoutEffect(() => {
    const it = element.current;
    if (it === null) return;
    const room = width - it.offsetWidth;
    const [right, left] = [x + em, x - em - it.offsetWidth];
    const isBeside = right <= room || left >= 0;
    it.style.left = `${Math.round(clamp(right <= room ? right : left >= 0 ? left : x - it.offsetWidth / 2, 0, Math.max(room, 0)))}px`;
    it.style.top = `${Math.round(isBeside ? above.top : strip.bottom)}px`;
  });
  const [time, ...rest] = lines;
  return (
    <div ref={element} class="chart-tooltip" data-testid="point-tooltip" aria-hidden="true">
      <span>{time}</span>
      {rest.map((line) => (
        <strong key={line}>{line}</strong>
      ))}
    </div>
  );
}
