import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { RULES, rulesIn } from "strand/state/rules.js";
import {
  CERTIFICATE_BYTES_MAX, certificateFile, statements, STEP_STATES, verdictOf, whyNotRead,
} from "strand/state/verification.js";

const PROTOCOL = readFileSync(new URL("../../protocol/README.md", import.meta.url), "utf8");
const LIMITS = readFileSync(new URL("../../protocol/limits.py", import.meta.url), "utf8");

test("the table has each rule of the protocol that a certificate may break, and no other", () => {
  const named = new Set([...PROTOCOL.matchAll(/\*\*([PRC]\d+)\b/g)].map((found) => found[1]));
  // No verifier knows of challenges (R20).
  named.delete("R20");
  assert.deepEqual(new Set(Object.keys(RULES)), named);
});

test("a certificate's file has one name, here and in a terminal", () => {
  const terminal = readFileSync(new URL("../../node/cli/parts/certificates.py", import.meta.url), "utf8");
  assert.match(terminal, /^FILE_DIGITS: Final = 16$/m);
  assert.match(terminal, /return f"\{query_id\[:FILE_DIGITS\]\}\.strand"/);
  assert.equal(certificateFile("b6191b4280cf309f" + "0".repeat(48)), "b6191b4280cf309f.strand");
});

test("a step's rules are found in its text", () => {
  assert.deepEqual(rulesIn("R4, R5"), ["R4", "R5"]);
  assert.deepEqual(rulesIn("R2 to R4"), ["R2", "R3", "R4"]);
  assert.deepEqual(rulesIn("C6"), ["C6"]);
  assert.deepEqual(rulesIn("V9, constructor, R4 to R2, "), []);
});

test("a file is measured before it is read", () => {
  assert.equal(whyNotRead(1), "");
  assert.equal(whyNotRead(CERTIFICATE_BYTES_MAX), "");
  assert.equal(whyNotRead(0), "The file is empty.");
  assert.match(whyNotRead(CERTIFICATE_BYTES_MAX + 1), /at most 8\.0 MiB\. It was not read/);
  assert.match(LIMITS, /^CERTIFICATE_BYTES_MAX = 8 \* 1024 \* 1024$/m);
});

test("the verdict says how far the verification came", () => {
  const steps = ["passed", "passed", "failed", "not_reached"].map((state) => ({ state }));
  assert.deepEqual(Object.keys(STEP_STATES), ["passed", "failed", "not_reached"]);
  const told = (changes) => verdictOf({ valid: false, reason: "bad_signature", detail: "", steps, ...changes });
  assert.equal(told().head, "The certificate does not hold.");
  assert.equal(told().words, "The first 2 of 4 steps hold, the next fails: bad signature.");
  assert.equal(told({ steps: steps.slice(1) }).words, "The first of 3 steps holds, the next fails: bad signature.");
  assert.equal(told({ steps: steps.slice(2) }).words, "The first step fails: bad signature.");
  assert.match(told({ reason: "malformed" }).head, /no certificate/);
  assert.equal(told({ valid: true, reason: "" }).tone, "good");
});

test("a version that is not read is neither valid nor invalid", () => {
  const steps = [{ state: "failed" }];
  const told = verdictOf({ valid: false, reason: "other_version", detail: "wire 0: commit 2df6499 reads it", steps });
  assert.deepEqual([told.tone, told.words], ["warn", "It is of wire 0: commit 2df6499 reads it."]);
  assert.doesNotMatch(told.head, /not hold/);
});

test("what a certificate says, in counts", () => {
  const report = {
    network: "devnet",
    ballots: 12,
    comparisons: 12,
    abstentions: 1,
    cosignatures: 3,
    members: 4,
    full: true,
    decisive_share: 0.5,
    testing: { testers: 4, reports: 3, stages: 1 },
  };
  assert.deepEqual(Object.fromEntries(statements(report)), {
    Network: "devnet",
    "Co-signed": "by 3 of 4 members: a full certificate",
    Judged: "12 ballots, 12 comparisons, 1 abstention",
    "Clear judgements": "50 %",
    Tested: "3 reports of 4 testers, 1 stage",
  });
  const bare = statements({ ...report, full: false, decisive_share: null, testing: null });
  assert.equal(bare.length, 3);
});
