// Writes src/generated.ts: a TypeScript type for every schema of openapi.json, which describes the server's answers.
// The usual generator, openapi-typescript, works with the compiler's API of TypeScript 5, which TypeScript 7 has not.

import { readFileSync, writeFileSync } from "node:fs";

const REFERENCE = "#/components/schemas/";
const PRIMITIVES = { string: "string", number: "number", integer: "number", boolean: "boolean", null: "null" };

/** The type that a schema allows, as TypeScript; throws for a keyword that it does not know, instead of guessing. */
function typeOf(schema) {
  if (schema.$ref !== undefined) return schema.$ref.slice(REFERENCE.length);
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.type === "array") {
    const item = typeOf(schema.items);
    return item.includes("|") ? `(${item})[]` : `${item}[]`;
  }
  if (schema.type === "object" && schema.additionalProperties) return `Record<string, ${typeOf(schema.additionalProperties)}>`;
  if (PRIMITIVES[schema.type] !== undefined) return PRIMITIVES[schema.type];
  throw new Error(`openapi.json has a schema that types.mjs cannot translate: ${JSON.stringify(schema)}`);
}

/** The first paragraph of a description as a comment. */
function comment(schema, indent = "") {
  const text = schema.description?.split("\n\n")[0].replaceAll(/\s+/g, " ");
  return text === undefined ? "" : `${indent}/** ${text.replaceAll("*/", "* /")} */\n`;
}

function declaration(name, schema) {
  if (schema.properties === undefined) return `${comment(schema)}export type ${name} = ${typeOf(schema)};\n`;
  const fields = Object.entries(schema.properties).map(([field, one]) => {
    // The server writes every field that has a default.
    const isAlwaysThere = schema.required?.includes(field) === true || one.default !== undefined;
    return `${comment(one, "  ")}  ${field}${isAlwaysThere ? "" : "?"}: ${typeOf(one)};\n`;
  });
  return `${comment(schema)}export interface ${name} {\n${fields.join("")}}\n`;
}

const { components } = JSON.parse(readFileSync(new URL("openapi.json", import.meta.url), "utf8"));
const declarations = Object.entries(components.schemas).map(([name, schema]) => declaration(name, schema));
const head = "// The server's answers. Written by `npm run types` from openapi.json; do not edit.\n";
writeFileSync(new URL("src/generated.ts", import.meta.url), [head, ...declarations].join("\n"));
