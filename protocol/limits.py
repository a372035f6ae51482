"""Hard limits of wire version 1, each with its unit and reason. NetworkParams may be tighter, never wider."""

KEY_BYTES = 32
"""bytes of a public key: Ed25519."""

DIGEST_BYTES = 32
"""bytes of a digest: BLAKE2b-256."""

SIGNATURE_BYTES = 64
"""bytes of a signature: Ed25519."""

NONCE_BYTES = 32
"""bytes of a query's nonce: two queries never share an id by chance."""

SALT_BYTES = 32
"""bytes of a commitment's salt: nobody finds an answer by trying."""

MESSAGE_BYTES_MAX = 512 * 1024
"""bytes: py-libp2p silently drops gossip above about 1 MiB, js-libp2p resets the stream at 700,000."""

SLOT_MESSAGE_BYTES_MAX = MESSAGE_BYTES_MAX // 2 - 1024
"""bytes of any message but evidence: two of them and a frame fit in one piece of evidence, so that every equivocation
can be shown."""

CERTIFICATE_BYTES_MAX = 8 * 1024 * 1024
"""bytes: 64 answers of 64 KiB with 64 ballots and as many co-signatures for each of 4 waves, and room to spare."""

DEPTH_MAX = 5
"""nested containers: a certificate's parameters and a roster's seats need 3."""

ITEMS_MAX = 20_000
"""msgpack values in one message: 64 ballots of 64 judgements are below it, a bomb of empty arrays above."""

MEMBERS_MAX = 64
"""seats in a roster: a sub-mesh holds about 50 nodes; the CPU time of gossip grows with their number."""

TEXT_BYTES_MAX = 64 * 1024
"""bytes of a query or of an answer, UTF-8: about 16,000 tokens; canonical forms are linear in it."""

TOKENS_MAX = 32_768
"""tokens of one answer: Qwen2.5-Coder's native context length."""

WAVES_MAX = 8
"""waves in a plan: the default plans use at most 4; trials went to 8."""

PAIRS_MAX = 64
"""pairs in one ballot: beyond 5 a judge more comparisons hardly help."""

EVIDENCE_MAX = 64
"""evidence ids in one closing: at most one per seat."""

CLOSINGS_MAX = WAVES_MAX + 2
"""closings in a chain: commits, slate, one per wave but the last, tally."""

NAME_BYTES_MAX = 64
"""bytes of a network, specialty, model or version name."""

SPECIALTIES_MAX = 8
"""specialties in one offer: a node joins one topic for each."""

ADDRESSES_MAX = 8
"""multiaddrs in one offer."""

ADDRESS_BYTES_MAX = 256
"""bytes of one multiaddr."""

DURATION_MS_MAX = 3_600_000
"""ms: no phase lasts longer than an hour."""

TIME_MS_MAX = 1 << 53
"""ms since the Unix epoch, exact in a float64 of any foreign implementation."""

COUNT_MAX = (1 << 32) - 1
"""counters that only inform (queue length, tokens per second)."""

WEIGHT_MAX = 16 * 65536
"""weights in 2^-16: the aggregator's own clip is 1.6; 16 leaves room for explicit trust."""

BETA_MAX = 16 * 65536
"""What a query may let votes weigh, 2^-16: at 16 a cluster twice as large is 11 log-odds ahead, which is certainty."""

TAU_MIN = 65536 // 16
"""Smallest standard deviation of strengths that a query may state, 2^-16 log-odds: below it judgements move nothing."""

TAU_MAX = 4 * 65536
"""Largest standard deviation of strengths, 2^-16 log-odds: above it the prior says nothing. Between both bounds the
fit's rounding noise stays an order below its last step."""

PULL_IDS_MAX = 3 * MEMBERS_MAX
"""ids in one pull: every answer, or ballot or decline, and piece of evidence of a closing."""
