"""Digests of outcomes are equal wherever they are made: another folder, user, locale, load, hash seed, a rebuild."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

STABLE = {
    "counts words in a map": """
        use std::collections::HashMap;
        pub fn f(xs: Vec<i32>, s: String) -> HashMap<String, usize> {
            let mut counts = HashMap::new();
            for word in s.split(' ') { *counts.entry(word.to_string()).or_insert(0) += xs.len(); }
            counts
        }
    """,
    "a set": "pub fn f(xs: Vec<i32>, _s: String) -> std::collections::HashSet<i32> { xs.into_iter().collect() }",
    "overflows": "pub fn f(xs: Vec<i32>, _s: String) -> i32 { xs.iter().fold(1, |a, b| a * b) }",
    "floats": "pub fn f(xs: Vec<i32>, _s: String) -> f64 { xs.iter().map(|x| *x as f64 / 3.0).sum() }",
    "threads that are joined": """
        pub fn f(xs: Vec<i32>, s: String) -> (i64, usize) {
            let sum = std::thread::spawn(move || xs.iter().map(|x| *x as i64).sum::<i64>());
            (sum.join().unwrap(), s.chars().count())
        }
    """,
    "a clock's date": """
        pub fn f(xs: Vec<i32>, _s: String) -> u64 {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            now.as_secs() + xs.len() as u64
        }
    """,
    "exits": "pub fn f(xs: Vec<i32>, _s: String) -> i32 { if xs.len() > 2 { std::process::exit(3) } 1 }",
    "overflows its stack": """
        fn deep(n: u64) -> u64 { if n == u64::MAX { 0 } else { 1 + deep(std::hint::black_box(n + 1)) } }
        pub fn f(xs: Vec<i32>, _s: String) -> u64 { if xs.len() > 3 { deep(0) } else { 7 } }
    """,
    "upper case": "pub fn f(_xs: Vec<i32>, s: String) -> String { s.to_uppercase() }",
    "its environment": """
        pub fn f(xs: Vec<i32>, _s: String) -> (Option<String>, usize) { (std::env::var("LANG").ok(), xs.len()) }
    """,
}
"""Programs with the same outcomes everywhere."""

UNSTABLE = {
    "a map's order": """
        pub fn f(xs: Vec<i32>, s: String) -> Vec<i32> {
            let more = s.len() as i32..s.len() as i32 + 20;
            let set: std::collections::HashSet<i32> = xs.into_iter().chain(more).collect();
            set.into_iter().collect()
        }
    """,
    "time that passes": """
        pub fn f(_xs: Vec<i32>, _s: String) -> u128 { std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() }
    """,
    "addresses": 'pub fn f(xs: Vec<i32>, _s: String) -> String { format!("{:p}", &xs) }',
    "an address on the heap": """
        pub fn f(_xs: Vec<i32>, _s: String) -> usize { Box::leak(Box::new(3)) as *const i32 as usize }
    """,
    "its process": 'pub fn f(_xs: Vec<i32>, _s: String) -> String { format!("{:?}", std::time::Instant::now()) }',
}
"""Programs whose outcomes mean nothing."""


def findings_here(cache: Path, environment: dict[str, str]) -> dict[str, str]:
    """The outcomes of all programs, by a process of its own."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tests.support.print_outcomes", str(cache)],
        env={**os.environ, **environment},
        input=json.dumps({**STABLE, **UNSTABLE}),
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, harness_cache: Path) -> list[dict[str, str]]:
    """Outcomes in two settings: ours, and one that differs in all that a machine may differ in, under load."""
    rebuilt = tmp_path_factory.mktemp("another") / "cache"
    temporary = tmp_path_factory.mktemp("temporary")
    other = {"TMPDIR": str(temporary), "LANG": "de_DE.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "Asia/Kolkata"}
    with ExitStack() as stack:
        first = findings_here(harness_cache, {"PYTHONHASHSEED": "1"})
        for _ in range(2):
            load = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(load.kill)
        second = findings_here(rebuilt, {**other, "PYTHONHASHSEED": "2"})
    return [first, second]


@pytest.mark.parametrize("name", STABLE)
def test_outcomes_are_equal_in_other_settings(elsewhere: list[dict[str, str]], name: str) -> None:
    first, second = elsewhere
    assert first[name] == second[name] != ""
    assert "000000" not in [first[name][at : at + 6] for at in range(0, len(first[name]), 6)]


@pytest.mark.parametrize("name", UNSTABLE)
def test_what_is_not_the_same_everywhere_is_no_information(elsewhere: list[dict[str, str]], name: str) -> None:
    for outcomes in elsewhere:
        assert outcomes[name] and set(outcomes[name]) == {"0"}
