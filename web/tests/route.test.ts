import { describe, expect, it } from "vitest";
import { accountAddressOf, addressOf, isWall, routeOf } from "../src/route";

describe("the address", () => {
  it("names a profile, whatever it is called, and the one without a name", () => {
    for (const profile of ["prod", "prod agent", "100%", "a/b#c", "ключ", ""]) {
      expect(routeOf(addressOf(profile))).toEqual({ page: "key", profile });
      expect(routeOf(accountAddressOf(profile))).toEqual({ page: "account", profile });
    }
    expect(routeOf("#/account")).toEqual({ page: "account", profile: null });
  });

  it("names none elsewhere", () => {
    for (const hash of ["", "#", "#/", "#/keys/x", "#/key/%E0%A4%A", "#/account/%", "#/accounts"]) {
      expect(routeOf(hash)).toEqual({ page: "home", profile: null });
    }
  });

  it("asks for the wall", () => {
    expect([isWall("?wall"), isWall("?wall=1&x"), isWall("?walls"), isWall("")]).toEqual([true, true, false, false]);
  });
});
