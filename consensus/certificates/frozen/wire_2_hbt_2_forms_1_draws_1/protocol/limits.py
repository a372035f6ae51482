"""Hard limits of wire version 2, each with its unit and reason. NetworkParams may be tighter, never wider."""

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

CLOSINGS_MAX = WAVES_MAX + 2
"""Closings in a chain: commits, slate, one per wave except the last, tally."""

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
"""Ids in one pull: every answer, ballot or decline, and piece of evidence that a closing names."""
