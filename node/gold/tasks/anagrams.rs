//! domain = "strings"
//! difficulty = 1
//! [names]
//! anagrams = ["are_anagrams", "same_letters"]
//! ---
//! In Rust, write a function named `anagrams` that takes two `&str` and says (as a `bool`) whether they are anagrams of
//! each other. Upper and lower case are the same (ASCII), and everything that is not alphanumeric is ignored.

pub fn anagrams(one: &str, other: &str) -> bool {
    fn letters(text: &str) -> Vec<char> {
        let mut kept: Vec<char> = text
            .chars()
            .filter(|c| c.is_alphanumeric())
            .map(|c| c.to_ascii_lowercase())
            .collect();
        kept.sort_unstable();
        kept
    }
    letters(one) == letters(other)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yes() {
        assert!(anagrams("listen", "silent"));
        assert!(anagrams("Dormitory", "dirty room!"));
    }
    #[test]
    fn no() {
        assert!(!anagrams("apple", "papel e"));
        assert!(!anagrams("abc", "abd"));
        assert!(!anagrams("aab", "abb"));
    }
    #[test]
    fn empty() {
        assert!(anagrams("", ""));
        assert!(anagrams("?!", ""));
        assert!(!anagrams("a", ""));
    }
    #[test]
    fn digits_count() {
        assert!(anagrams("a1b", "1ba"));
        assert!(!anagrams("a1", "a2"));
    }
}
