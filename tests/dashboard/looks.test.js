import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { colourOf, lookOf, looksOf, MARKS } from "strand/state/looks.js";

const keys = (number) => Array.from({ length: number }, (_, place) => (place * 7919 + 17).toString(16).padStart(64, "0"));

test("a key by itself always looks the same", () => {
  assert.deepEqual(lookOf("000001ab"), lookOf("000001cd"));
  assert.equal(new Set(["000001", "000002", "000003", "ffffff"].map((key) => lookOf(key).hue)).size, 4);
  assert.deepEqual(lookOf(""), { hue: 0, mark: "full" });
});

test("members of one round are told apart", () => {
  for (const number of [1, 2, 5, 8, 9, 12, 33, 64]) {
    const looks = [...looksOf(keys(number)).values()];
    assert.equal(looks.length, number);
    const distance = (a, b) => Math.min(Math.abs(a.hue - b.hue), 360 - Math.abs(a.hue - b.hue));
    for (const mark of MARKS) {
      const same = looks.filter((each) => each.mark === mark);
      const apart = same.flatMap((a, place) => same.slice(place + 1).map((b) => distance(a, b)));
      assert.ok(Math.min(360, ...apart) >= (number <= 12 ? 30 : 11), `${number} members, ${mark}`);
    }
  }
});

test("a member's look depends on who is in the round, not on the order in which they are named", () => {
  const members = keys(12);
  assert.deepEqual([...looksOf([...members].reverse())], [...looksOf(members)]);
  assert.equal(looksOf([...members, ...members]).size, 12);
});

/** The luminance of an OKLCH colour, cut to what a screen shows (CSS Color 4, 9.2). */
function luminance(lightness, chroma, hue) {
  const [a, b] = [Math.cos, Math.sin].map((part) => chroma * part((hue * Math.PI) / 180));
  const [l, m, s] = [
    lightness + 0.3963377774 * a + 0.2158037573 * b,
    lightness - 0.1055613458 * a - 0.0638541728 * b,
    lightness - 0.0894841775 * a - 1.291485548 * b,
  ].map((each) => each ** 3);
  const [red, green, blue] = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((each) => Math.min(1, Math.max(0, each)));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function luminanceOfHex(colour) {
  const linear = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255).map(
    (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4),
  );
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

test("each colour stands out from the grounds of both themes (WCAG 2.2, 1.4.11)", () => {
  const tokens = readFileSync(new URL("../../node/dashboard/style/tokens.css", import.meta.url), "utf8");
  const grounds = [...tokens.matchAll(/--(?:background|surface|raised):\s*(#[0-9a-f]{6});/g)].map((found) => found[1]);
  assert.ok(grounds.length >= 6);
  for (let hue = 0; hue < 360; hue += 5) {
    const [lightness, chroma] = colourOf(hue).match(/[\d.]+/g).map(Number);
    for (const ground of grounds) {
      const both = [luminance(lightness, chroma, hue), luminanceOfHex(ground)].sort((x, y) => x - y);
      const contrast = (both[1] + 0.05) / (both[0] + 0.05);
      assert.ok(contrast >= 3, `hue ${hue} on ${ground}: ${contrast.toFixed(2)}`);
    }
  }
});
