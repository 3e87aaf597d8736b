// How the page is built into the Python package. Two builds of the same source must give the same bytes: CI compares.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Stands in for what d3-scale imports, and the page does not use. */
const NUMBERS = fileURLToPath(new URL("src/chart/numbers.ts", import.meta.url));

/** What is needed for the first amount, in one file; the entry's own code, which nothing imports, is another. */
const START = [
  ...["api", "app", "bar", "clock", "first-load", "format", "header", "history-place", "later", "linked", "pages", "ring"],
  ...["route", "scopes", "state", "stream", "strip.\\w+", "theme", "ticking", "words"],
];

export default defineConfig({
  base: "/",
  resolve: { alias: { "d3-format": NUMBERS, "d3-interpolate": NUMBERS } },
  build: {
    outDir: "../orcredit/server/page",
    emptyOutDir: true,
    target: "es2022",
    // The server's content security policy allows no inline script and no data: but for images.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    license: { fileName: "licenses.md" },
    rolldownOptions: {
      output: {
        // A few files: what two pages share would else be many small ones, which compress badly.
        codeSplitting: {
          includeDependenciesRecursively: false,
          groups: [
            { name: "base", test: new RegExp(`preact|src.(${START.join("|")})\\.tsx?$`) },
            { name: "chart", test: /src.chart|d3-/ },
            { name: "keys", test: /src.keys/ },
          ],
        },
        entryFileNames: "assets/[name].[hash].js",
        chunkFileNames: "assets/[name].[hash].js",
        assetFileNames: "assets/[name].[hash].[ext]",
        hashCharacters: "hex",
      },
    },
  },
  test: {
    // With what stands in for parts of them.
    server: { deps: { inline: [/d3-/] } },
    include: ["tests/**/*.test.{ts,tsx}"],
    environment: "node",
    restoreMocks: true,
    // Local times are part of what is tested.
    env: { TZ: "Europe/Berlin" },
  },
});
