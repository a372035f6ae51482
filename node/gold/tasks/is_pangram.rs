//! domain = "strings"
//! difficulty = 1
//! [names]
//! is_pangram = ["uses_all_letters", "has_every_letter"]
//! ---
//! `{signature}` in Rust, please: true if every letter of the English alphabet occurs in the text at least once, in upper
//! or lower case.

pub fn is_pangram(text: &str) -> bool {
    let mut seen = [false; 26];
    for byte in text.bytes() {
        if byte.is_ascii_alphabetic() {
            seen[(byte.to_ascii_lowercase() - b'a') as usize] = true;
        }
    }
    seen.iter().all(|&each| each)
}

//~ driver
pub fn drive(left_out: u8, upper: bool) -> bool {
    let letters = ('a'..='z').filter(|&letter| letter != char::from(b'a' + left_out % 32));
    is_pangram(
        &letters
            .map(|letter| {
                if upper {
                    letter.to_ascii_uppercase()
                } else {
                    letter
                }
            })
            .collect::<String>(),
    )
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all() {
        assert!(is_pangram("The quick brown fox jumps over the lazy dog."));
        assert!(is_pangram("abcdefghijklmnopqrstuvwxyz"));
        assert!(is_pangram("ABCDEFGHIJKLMnopqrstuvwxyz"));
    }
    #[test]
    fn missing() {
        assert!(!is_pangram("abcdefghijklmnopqrstuvwxy"));
        assert!(!is_pangram("bcdefghijklmnopqrstuvwxyz"));
        assert!(!is_pangram("The quick brown fox jumps over the lazy cat."));
    }
    #[test]
    fn empty() {
        assert!(!is_pangram(""));
        assert!(!is_pangram("12345"));
    }
}
