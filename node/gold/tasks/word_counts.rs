//! domain = "collections"
//! difficulty = 2
//! [names]
//! word_counts = ["rank_words", "word_frequency", "most_common"]
//! ---
//! Count words. Write `{signature}`: it splits the text at white space, ignores case (ASCII), and returns each word with its
//! count, the most frequent first; words of equal count come in alphabetical order.

use std::cmp::Reverse;
use std::collections::BTreeMap;

pub fn word_counts(text: &str) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word.to_ascii_lowercase()).or_default() += 1;
    }
    let mut ranked: Vec<(String, usize)> = counts.into_iter().collect();
    ranked.sort_by_key(|(_, count)| Reverse(*count));
    ranked
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        word_counts(text)
            .iter()
            .map(|(word, count)| format!("{word}{count}"))
            .collect::<Vec<_>>()
            .join(" ")
    }
    #[test]
    fn ranked() {
        assert_eq!(shown("b a b c b a"), "b3 a2 c1");
        assert_eq!(shown("one two two"), "two2 one1");
    }
    #[test]
    fn ties() {
        assert_eq!(shown("z y x"), "x1 y1 z1");
        assert_eq!(shown("b b a a c"), "a2 b2 c1");
    }
    #[test]
    fn case() {
        assert_eq!(shown("Rust rust RUST go"), "rust3 go1");
        assert_eq!(shown("A a"), "a2");
    }
    #[test]
    fn empty() {
        assert_eq!(shown(""), "");
        assert_eq!(shown(" \n "), "");
    }
}
