//! domain = "strings"
//! difficulty = 1
//! [names]
//! vowel_count = ["count_vowels", "number_of_vowels"]
//! ---
//! I need a function `vowel_count` in Rust. It takes a `&str` and returns as a `usize` how many of its characters are
//! vowels (a, e, i, o, u), in upper or lower case. Letters with accents do not count.

pub fn vowel_count(text: &str) -> usize {
    text.chars()
        .filter(|letter| matches!(letter.to_ascii_lowercase(), 'a' | 'e' | 'i' | 'o' | 'u'))
        .count()
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_cases() {
        assert_eq!(vowel_count("Education"), 5);
        assert_eq!(vowel_count("AEIOU"), 5);
        assert_eq!(vowel_count("aeiou"), 5);
    }
    #[test]
    fn none() {
        assert_eq!(vowel_count(""), 0);
        assert_eq!(vowel_count("rhythm"), 0);
        assert_eq!(vowel_count("1234 !"), 0);
    }
    #[test]
    fn accents() {
        assert_eq!(vowel_count("héllo"), 1);
        assert_eq!(vowel_count("über"), 1);
    }
}
