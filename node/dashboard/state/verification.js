/** A certificate's verification, as its view tells it. Pure but for the handed replay. */

import { signal } from "@preact/signals-core";
import { count, percent, size } from "strand/state/format.js";

/** Most bytes of a certificate (`CERTIFICATE_BYTES_MAX`); a larger file is not read. */
export const CERTIFICATE_BYTES_MAX = 8 * 1024 * 1024;

/**
 * The course of a round that a certificate told, on its way to the round's view (`#/replay`): `Replay` of the API, or
 * null. It stays in memory: a stranger's certificate is stored nowhere.
 */
export const handedReplay = signal(null);

/** Digits of a round's id in the name of its certificate's file: FILE_DIGITS of node/cli/parts/certificates.py. */
const FILE_DIGITS = 16;

/**
 * Return the name of the file of a round's certificate, as the command line names it, too.
 * @param {string} id
 * @returns {string} such as `b6191b4280cf309f.strand`
 */
export function certificateFile(id) {
  return `${id.slice(0, FILE_DIGITS)}.strand`;
}

/** States of steps: a glyph and a tone beside the words. */
export const STEP_STATES = {
  passed: { glyph: "✓", tone: "good", words: "holds" },
  failed: { glyph: "✕", tone: "bad", words: "fails" },
  not_reached: { glyph: "–", tone: "", words: "not reached" },
};

/**
 * Return why a file is not read; empty if it is.
 * @param {number} bytes its size
 * @returns {string}
 */
export function whyNotRead(bytes) {
  if (bytes === 0) return "The file is empty.";
  if (bytes <= CERTIFICATE_BYTES_MAX) return "";
  return `The file has ${size(bytes)}; a certificate has at most ${size(CERTIFICATE_BYTES_MAX)}. It was not read.`;
}

/**
 * Return what a verification found: how it looks, in a word, and in a sentence.
 * @param {Object} verification
 * @returns {{tone: "good" | "warn" | "bad", glyph: string, head: string, words: string}}
 */
export function verdictOf({ valid, steps, reason, detail }) {
  if (valid) {
    const words = "Every signature, the chain, the pairs, the recount and the outcome hold.";
    return { tone: "good", glyph: "✓", head: "The certificate holds.", words };
  }
  if (reason === "other_version") {
    return { tone: "warn", glyph: "▲", head: "The certificate cannot be checked here.", words: `It is of ${detail}.` };
  }
  if (reason === "malformed") {
    return { tone: "bad", glyph: "✕", head: "This is no certificate,", words: "or a damaged one." };
  }
  const passed = steps.filter((each) => each.state === "passed").length;
  const all = `${steps.length} steps`;
  const held = passed === 1 ? `The first of ${all} holds` : `The first ${passed} of ${all} hold`;
  const before = passed ? `${held}, the next fails` : "The first step fails";
  const words = `${before}: ${reason.replaceAll("_", " ")}.`;
  return { tone: "bad", glyph: "✕", head: "The certificate does not hold.", words };
}

/**
 * Return what a valid certificate says of its round, as pairs of a heading and its words.
 * @param {Object} report `CertificateReport`
 * @returns {[string, string][]}
 */
export function statements(report) {
  const { ballots, comparisons, abstentions, cosignatures, members, full } = report;
  const told = [
    ["Network", report.network],
    ["Co-signed", `by ${cosignatures} of ${count(members, "member")}: a ${full ? "full" : "partial"} certificate`],
    ["Judged", `${count(ballots, "ballot")}, ${count(comparisons, "comparison")}, ${count(abstentions, "abstention")}`],
  ];
  if (report.decisive_share !== null) told.push(["Clear judgements", percent(report.decisive_share)]);
  if (report.testing) {
    const { testers, reports, stages } = report.testing;
    told.push(["Tested", `${count(reports, "report")} of ${count(testers, "tester")}, ${count(stages, "stage")}`]);
  }
  return told;
}
