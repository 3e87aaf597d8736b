// The chart as SVG. Its colours are the style sheet's.

import { Grid, Zero } from "./grid";
import { type Level, MANY_RESETS, type Scene, type Words } from "./scene";

interface Drawn {
  scene: Scene;
  isOld: boolean;
  caption: string;
  /** The id of the element that says it all in a sentence. */
  words: string;
}

export function Drawing({ scene, isOld, caption, words }: Drawn) {
  const { frame } = scene;
  const { width, height, left, right, above, below } = frame;
  return (
    <svg
      class={isOld ? "chart-picture old" : "chart-picture"}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-labelledby={words}
      data-testid="history-chart"
    >
      <defs>
        <Hatch name="chart-gap" size={7} />
        <Hatch name="chart-estimate" size={4} />
        <clipPath id="chart-clip">
          <rect x={left} y={above.top - 3} width={Math.max(right - left, 0) + 0.5} height={below.bottom - above.top + 4} />
        </clipPath>
      </defs>
      <Grid frame={frame} ticks={[...scene.ticks, ...scene.spendTicks]} />
      <g clip-path="url(#chart-clip)">
        {/* Not between the two, where the words of the bars stand. */}
        {[above, below].map(({ top, bottom }) =>
          scene.gaps.map(({ x, width: wide }) => (
            <rect key={x} class="chart-gap" x={x} width={wide} y={top} height={bottom - top} fill="url(#chart-gap)" />
          )),
        )}
        {scene.resets.map((x) => (
          <line key={x} class={scene.resets.length > MANY_RESETS ? "chart-reset many" : "chart-reset"} x1={x} x2={x} y1={above.top - 3} y2={below.bottom} />
        ))}
        {scene.stretches.map(({ area }) => (
          <path key={area} class="chart-area" d={area} />
        ))}
        {scene.levels.map((level) => level.y !== null && <Rule key={level.y} level={level} left={left} right={right} />)}
        {scene.forecast !== null && (
          <g class={scene.forecast.isEarly ? "chart-forecast out" : "chart-forecast"}>
            {scene.forecast.cone !== null && <path class="chart-cone" d={scene.forecast.cone} />}
            <path class="chart-dashes" d={scene.forecast.line} />
          </g>
        )}
        {scene.bars.map((bar) => (
          <rect
            key={bar.x}
            class={bar.isEstimated ? "chart-bar estimated" : "chart-bar"}
            x={bar.x}
            y={bar.y}
            width={bar.width}
            height={bar.height}
            rx={Math.min(bar.width / 4, 2)}
            {...(bar.isEstimated ? { fill: "url(#chart-estimate)" } : {})}
          />
        ))}
        <line class="chart-now" x1={scene.now} x2={scene.now} y1={above.top - 3} y2={below.bottom} />
        {scene.stretches.map(({ line }) => (
          <path key={line} class="chart-line" d={line} />
        ))}
      </g>
      {scene.hasLine && <Zero part={above} left={left} right={right} />}
      <Zero part={below} left={left} right={right} />
      {scene.band !== null && <Band scene={scene} />}
      <Texts scene={scene} caption={caption} />
      {scene.dot !== null && <circle class="chart-dot" cx={scene.dot.x} cy={scene.dot.y} r={4.5} />}
    </svg>
  );
}

function Hatch({ name, size }: { name: string; size: number }) {
  return (
    <pattern id={name} class={name} width={size} height={size} patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
      <line x1={0} x2={0} y1={0} y2={size} />
    </pattern>
  );
}

function Rule({ level, left, right }: { level: Level; left: number; right: number }) {
  return <line class={`chart-${level.kind}`} x1={left} x2={right} y1={level.y ?? 0} y2={level.y ?? 0} />;
}

function Band({ scene }: { scene: Scene }) {
  const { band, frame } = scene;
  if (band === null) return null;
  const { top, bottom } = frame.strip;
  return (
    <g class="chart-band">
      <rect x={band.x} width={band.width} y={top} height={bottom - top} />
      {band.label !== null && (
        <text x={band.label.x} y={(top + bottom) / 2 + 0.35 * frame.em} text-anchor="middle">
          {band.label.text}
        </text>
      )}
    </g>
  );
}

function Texts({ scene, caption }: { scene: Scene; caption: string }) {
  const { frame, times, headings, levels, dot, since } = scene;
  return (
    <g class="chart-words">
      {scene.hasLine && (
        <text class="chart-caption" x={0} y={frame.heading}>
          Left
        </text>
      )}
      <text class="chart-caption" x={0} y={frame.caption}>
        {caption}
      </text>
      {times.map(({ x, text }) => (
        <text key={x} x={x} y={frame.times} text-anchor="middle">
          {text}
        </text>
      ))}
      {headings.map(({ x, text }) => (
        <text key={x} class={text === "now" ? "chart-strong" : ""} x={x} y={frame.heading} text-anchor="middle">
          {text}
        </text>
      ))}
      {levels.map(({ kind, words }) => words !== null && <Said key={words.text} words={words} name={`chart-${kind}-words`} />)}
      {since !== null && <Said words={since} name="" />}
      {dot?.words != null && <Said words={dot.words} name="chart-strong chart-amount" />}
    </g>
  );
}

function Said({ words, name }: { words: Words; name: string }) {
  return (
    <text class={name} x={words.x} y={words.y} text-anchor={words.anchor}>
      {words.text}
    </text>
  );
}
