//! domain = "strings"
//! difficulty = 1
//! [names]
//! first_unique = ["first_single", "first_not_repeated"]
//! ---
//! Write a function `first_unique` in Rust that takes a `&str` and returns an `Option<char>`: the first character that
//! occurs exactly once in it.

use std::collections::HashMap;

pub fn first_unique(text: &str) -> Option<char> {
    let mut counts: HashMap<char, usize> = HashMap::new();
    for letter in text.chars() {
        *counts.entry(letter).or_insert(0) += 1;
    }
    text.chars().find(|letter| counts[letter] == 1)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found() {
        assert_eq!(first_unique("swiss"), Some('w'));
        assert_eq!(first_unique("aabcb"), Some('c'));
    }
    #[test]
    fn none() {
        assert_eq!(first_unique("aabb"), None);
        assert_eq!(first_unique(""), None);
    }
    #[test]
    fn order() {
        assert_eq!(first_unique("xyz"), Some('x'));
        assert_eq!(first_unique("aAa"), Some('A'));
        assert_eq!(first_unique("ääö"), Some('ö'));
    }
}
