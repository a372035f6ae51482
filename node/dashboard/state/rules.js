/** The rules that a verification names, a line each; protocol/README.md, which is normative, has them in full. Pure. */

/** Rule -> its line. */
export const RULES = {
  P1: "Bytes from outside are measured before they are read: their number, depth, values and kinds have limits.",
  P2: "A record has one encoding only: bytes that decoding and encoding does not reproduce are refused.",
  P3: "A message is its kind, its author's signature and its body; the author is an Ed25519 key.",
  P4: "Weights, preferences and probabilities are whole numbers of 1/65,536, so that everybody computes the same.",
  P5: "The digest of the network's parameters stands under every signature.",
  P6: "Each field has a limit; a network's parameters may be tighter than the protocol's, never wider.",
  P7: "A query asks by 1 to 32 turns, none empty, the last one the user's.",
  R1: "A signature covers the network, the kind and the whole body, and a message's id is the digest of these.",
  R2: "The closings form one chain, in the order commits, slate, testing, waves of judging, tally; each names the " +
    "one before. Two different closings for one place void the round.",
  R3: "Each member sends one message for each place. Whoever signs two different ones is removed from the round.",
  R4: "Members commit to their answers before any is opened, and each opened answer is the one committed to.",
  R5: "The secrets of all counted answers together draw the pairs, so that nobody chooses them.",
  R6: "A ballot compares exactly the pairs that were drawn for its judge, in their order.",
  R7: "Answers that are equal up to their form count as one.",
  R8: "Outcome, winner, P(best), ranking and the reason to stop are exactly what a recount finds.",
  R9: "The outcome follows from the numbers of answers and judges and from P(correct); a full certificate needs the " +
    "co-signatures of more than two thirds of the members with weight.",
  R10: "A member co-signs only a tally that follows, and whose closings leave out nothing that it sent in time.",
  R11: "A phase is closed when all awaited contributions are in, or its time is over.",
  R12: "A node writes down what it signs before it sends it, and never signs anything else for the same place.",
  R13: "What closings name is fetched from the asker or from members, within limits.",
  R14: "A message belongs to the topic of its network, specialty and shard.",
  R15: "A member that gives nothing in a phase declines at once, with a reason; that is never a vote.",
  R16: "A cancel takes the place of the next closing; nothing follows it, and there is no certificate.",
  R17: "Testers report on exactly the answers drawn for them; a value is settled where at least three reports and " +
    "more than two thirds of them agree.",
  R18: "Answers that surely do not compile, or fail a test of the asker's, cannot win; answers that behave alike " +
    "count as one.",
  R19: "Judging may stop early where the next wave would hardly change the answer.",
  C1: "The chain holds from the query to a tally with a winner.",
  C2: "Lists ascend by id.",
  C3: "Everything that a closing names is there, in the list of its kind, and nothing else.",
  C4: "A conversation stands beside the query only if it is private, and then it has the digest that the query names.",
  C5: "Each co-signature is one member's, on this tally, without objection.",
  C6: "A certificate names its versions, and is recomputed by the verifier of just these, or not at all.",
};

const NAMES = Object.keys(RULES);

/**
 * Return the rules that a step names.
 * @param {string} text such as `R4, R5` or `R2 to R9`
 * @returns {string[]} names, in the order of the text; unknown ones are left out
 */
export function rulesIn(text) {
  return text.split(",").flatMap((part) => {
    const [first, last = first] = part.trim().split(" to ");
    const [from, to] = [NAMES.indexOf(first), NAMES.indexOf(last)];
    return from < 0 || to < from ? [] : NAMES.slice(from, to + 1);
  });
}
