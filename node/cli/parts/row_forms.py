"""Formats of rows that `strand aggregate` reads, for its help, which need not import the command itself."""

ROW_FORMS = """
**Rows.** JSON lines hold one object a line, of one of these kinds:

- a judgement: `{"question": "q1", "judge": "ann", "first": "x", "second": "y", "outcome": "first"}`: two answers in the
  order in which the judge saw them; `outcome` is `first`, `second`, `tie` or `abstain`
- an answer: `{"question": "q1", "answer": "x", "author": "bob", "cluster": "42"}`; the last two may be left
  out
- the truth: `{"question": "q1", "truth": {"x": true, "y": false}}`
- a reference label: `{"question": "q1", "first": "x", "second": "y", "outcome": "first", "label": true}`
- a gold mark: `{"question": "q1", "gold": true}`; any row above may carry it, too
- the arena form: `{"model_a": "x", "model_b": "y", "winner": "model_a"}`; `winner` is `model_a`, `model_b`, `tie`,
  `tie (bothbad)` or `both_bad`; without `question` all rows are one question, without `judge` of one judge

CSV begins with a header and holds judgements: `model_a,model_b,winner`, perhaps with `judge` and `question`, or
`question,judge,first,second,outcome`. Other columns are ignored, with a count. Of more than 1,024 judges those with the
fewest rows share one weight. A question has at most 1,024 answers, a file two million rows.
"""
