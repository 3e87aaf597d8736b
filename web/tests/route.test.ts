import { describe, expect, it } from "vitest";
import { addressOf, isWall, profileIn } from "../src/route";

describe("the address", () => {
  it("names a profile, whatever it is called", () => {
    for (const name of ["prod", "prod agent", "100%", "a/b#c", "ключ"]) expect(profileIn(addressOf(name))).toBe(name);
  });

  it("names none elsewhere", () => {
    for (const hash of ["", "#", "#/", "#/keys/x", "#/key/%E0%A4%A"]) expect(profileIn(hash)).toBeNull();
  });

  it("asks for the wall", () => {
    expect([isWall("?wall"), isWall("?wall=1&x"), isWall("?walls"), isWall("")]).toEqual([true, true, false, false]);
  });
});
