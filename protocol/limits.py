"""Hard limits of wire version 3, each with its unit and reason. NetworkParams may be tighter, never wider."""

KEY_BYTES = 32
"""Bytes of a public key: Ed25519."""

DIGEST_BYTES = 32
"""Bytes of a digest: BLAKE2b-256."""

SIGNATURE_BYTES = 64
"""Bytes of a signature: Ed25519."""

NONCE_BYTES = 32
"""Bytes of a query's nonce, enough that no two queries share an id by chance."""

SALT_BYTES = 32
"""Bytes of a commitment's salt, enough that an answer cannot be found by trial."""

MESSAGE_BYTES_MAX = 512 * 1024
"""Bytes of a message. py-libp2p silently drops gossip above about 1 MiB, js-libp2p resets the stream at 700,000."""

SLOT_MESSAGE_BYTES_MAX = MESSAGE_BYTES_MAX // 2 - 1024
"""Bytes of any message except evidence. Two of them and a frame fit in one piece of evidence, so that every
equivocation can be shown."""

CERTIFICATE_BYTES_MAX = 8 * 1024 * 1024
"""Bytes of a certificate: 64 answers of 64 KiB, 64 ballots and co-signatures for each of 4 waves, and a reserve."""

DEPTH_MAX = 5
"""Nested containers. A certificate's parameters and a roster's seats need 3."""

ITEMS_MAX = 20_000
"""Msgpack values in one message. 64 ballots of 64 judgements are below it, a bomb of empty arrays above."""

MEMBERS_MAX = 64
"""Seats in a roster. A sub-mesh holds about 50 nodes, and the CPU cost of gossip grows with their number."""

TEXT_BYTES_MAX = 64 * 1024
"""Bytes of a turn of a query, or of an answer, UTF-8: about 16,000 tokens. Canonical forms cost time linear in it."""

TURNS_MAX = 32
"""Turns of a conversation: sixteen questions and answers, after which a judge could hardly read them all."""

TOKENS_MAX = 32_768
"""Tokens of one answer: Qwen2.5-Coder's native context length."""

WAVES_MAX = 8
"""Waves in a plan. Plans in use have at most 4; trials went up to 8."""

PAIRS_MAX = 64
"""Pairs in one ballot. Beyond 5 for each judge more comparisons hardly improve the ranking."""

EVIDENCE_MAX = 64
"""Evidence ids in one closing: at most one per seat."""

STAGES_MAX = 2
"""Stages, the batches of testing: the first testers of each answer, then further ones where their reports differ."""

TESTERS = 3
"""Testers of an answer in the first stage: as few as may settle a finding (R17)."""

FURTHER_TESTERS = 4
"""Testers of an answer whose findings the first stage leaves open. Seven reports in all settle most disputes while a
third of the testers lie; more would cost more than an answer's findings are worth."""

OUTCOMES_MAX = 48
"""Inputs on which one answer is run. Measured accuracy rises up to 60 inputs, by .004 beyond 20; all reports of a
round of 64 answers together stay below 64 KiB, so that they ride along."""

OUTCOME_BYTES = 3
"""Bytes of the digest of one outcome. It is keyed by the round, so that nobody can prepare a collision; two programs
that differ on one input collide there once in 16 million rounds."""

SOURCE_BYTES = 16
"""Bytes of the digest of the source that a tester extracted from an answer."""

LINT_CLASSES = 6
"""Classes of warnings that a report counts: the compiler's own, and clippy's correctness, suspicious, complexity,
performance and style."""

TESTS_BYTES_MAX = 32 * 1024
"""Bytes of the tests that an asker gives with a query, UTF-8: some hundred assertions."""

ERROR_CODE_MAX = 9_999
"""Largest number of a compiler's error code; rustc's have four digits."""

CLOSINGS_MAX = WAVES_MAX + STAGES_MAX + 2
"""Closings in a chain: commits, slate, one per stage of testing, one per wave except the last, tally."""

NAME_BYTES_MAX = 64
"""Bytes of a network, specialty, model or version name."""

SPECIALTIES_MAX = 8
"""Specialties in one offer. A node joins one topic for each."""

ADDRESSES_MAX = 8
"""Multiaddrs in one offer."""

ADDRESS_BYTES_MAX = 256
"""Bytes of one multiaddr."""

DURATION_MS_MAX = 3_600_000
"""Milliseconds: no phase lasts longer than an hour."""

TIME_MS_MAX = 1 << 53
"""Milliseconds since the Unix epoch, exact in a float64 of any foreign implementation."""

COUNT_MAX = (1 << 32) - 1
"""Largest value of counters that only inform (queue length, tokens per second)."""

WEIGHT_MAX = 16 * 65536
"""Largest weight, in 2^-16. The aggregator's own clip is 1.6; 16 leaves room for explicit trust."""

BETA_MAX = 16 * 65536
"""Largest weight that a query may give to votes, in 2^-16. At 16 a cluster twice as large is 11 log-odds ahead, which
is certainty."""

TAU_MIN = 65536 // 16
"""Smallest standard deviation of strengths that a query may state, 2^-16 log-odds: below it judgements move nothing."""

TAU_MAX = 4 * 65536
"""Largest standard deviation of strengths, 2^-16 log-odds: above it the prior says nothing. Between both bounds the
fit's rounding noise stays an order below its last step."""

PULL_IDS_MAX = 3 * MEMBERS_MAX
"""Ids in one pull: every answer, report, ballot or decline, and piece of evidence that a closing names."""

CHALLENGE_BYTES_MAX = 4 * TEXT_BYTES_MAX
"""Bytes of a challenge: a task, two answers to compare, and as much again for a conversation's other turns."""

CHALLENGE_REPLY_BYTES_MAX = TEXT_BYTES_MAX + 1024
"""Bytes of the reply to a challenge: one answer, and a reserve. A longer one is not read."""

CHALLENGE_ANSWERS = 2
"""Answers of a challenge that asks for a comparison; the one that asks for an answer has none."""
