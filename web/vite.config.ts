// How the page is built into the Python package. Two builds of the same source must give the same bytes: CI compares.
import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "/",
  build: {
    outDir: "../orcredit/server/page",
    emptyOutDir: true,
    target: "es2022",
    // The server's content security policy allows no inline script and no data: but for images.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    license: { fileName: "licenses.md" },
    rolldownOptions: {
      // d3's modules call these while they are loaded, to make what this page does not use: CSS colours, curves with a
      // tension, number formats. The d3 packages are the last versions with modules that can be left out one by one.
      treeshake: { manualPureFunctions: ["custom", "define", "defaultLocale", "extend", "formatLocale"] },
      output: {
        entryFileNames: "assets/[name].[hash].js",
        chunkFileNames: "assets/[name].[hash].js",
        assetFileNames: "assets/[name].[hash].[ext]",
        hashCharacters: "hex",
      },
    },
  },
  test: {
    include: ["tests/**/*.test.{ts,tsx}"],
    environment: "node",
    restoreMocks: true,
    // Local times are part of what is tested.
    env: { TZ: "Europe/Berlin" },
  },
});
