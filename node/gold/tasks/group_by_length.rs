//! domain = "collections"
//! difficulty = 1
//! [names]
//! group_by_length = ["bucket_by_length", "by_length"]
//! ---
//! Write `{signature}` in Rust. The keys are the lengths in characters that occur; each value holds the words of that length,
//! in their original order.

use std::collections::BTreeMap;

pub fn group_by_length(words: &[&str]) -> BTreeMap<usize, Vec<String>> {
    let mut groups: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for word in words {
        groups
            .entry(word.chars().count())
            .or_default()
            .push(word.to_string());
    }
    groups
}

//~ driver
pub fn drive(words: Vec<String>) -> std::collections::BTreeMap<usize, Vec<String>> {
    let mut all: Vec<&str> = words.iter().map(String::as_str).collect();
    all.extend(["é", "ab", "日本"]);
    group_by_length(&all)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn group(words: &[&str], length: usize) -> Vec<String> {
        group_by_length(words).remove(&length).unwrap_or_default()
    }
    #[test]
    fn grouped() {
        assert_eq!(group(&["a", "bb", "c"], 1), ["a", "c"]);
        assert_eq!(group(&["a", "bb", "c"], 2), ["bb"]);
    }
    #[test]
    fn order() {
        assert_eq!(group(&["zz", "aa", "mm"], 2), ["zz", "aa", "mm"]);
        assert_eq!(group(&["x", "x"], 1), ["x", "x"]);
    }
    #[test]
    fn keys() {
        assert_eq!(group_by_length(&["a", "bb", "c"]).len(), 2);
        assert!(group_by_length(&[]).is_empty());
        assert!(group(&["", "é"], 0) == [""]);
        assert_eq!(group(&["", "é"], 1), ["é"]);
    }
}
