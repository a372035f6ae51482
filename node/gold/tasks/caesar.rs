//! domain = "strings"
//! difficulty = 2
//! [names]
//! caesar = ["rotate_letters", "shift_text"]
//! ---
//! Write `{signature}` in Rust. Every ASCII letter moves `shift` places on in the alphabet and wraps round at its end; case
//! is kept, and `shift` may be negative or larger than 26. All other characters stay as they are.

pub fn caesar(text: &str, shift: i32) -> String {
    let by = shift.rem_euclid(26) as u8;
    text.chars()
        .map(|letter| match letter {
            'a'..='z' => ((letter as u8 - b'a' + by) % 26 + b'a') as char,
            'A'..='Z' => ((letter as u8 - b'A' + by) % 26 + b'A') as char,
            _ => letter,
        })
        .collect()
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forward() {
        assert_eq!(caesar("abc", 1), "bcd");
        assert_eq!(caesar("xyz", 3), "abc");
        assert_eq!(caesar("XYZ", 3), "ABC");
    }
    #[test]
    fn backward() {
        assert_eq!(caesar("abc", -1), "zab");
        assert_eq!(caesar("Hello", -29), "Ebiil");
    }
    #[test]
    fn others_stay() {
        assert_eq!(caesar("a-b, ß!", 2), "c-d, ß!");
        assert_eq!(caesar("", 5), "");
    }
    #[test]
    fn full_turns() {
        assert_eq!(caesar("Rust", 26), "Rust");
        assert_eq!(caesar("Rust", 27), "Svtu");
        assert_eq!(caesar("Rust", 0), "Rust");
    }
}
