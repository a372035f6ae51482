//! domain = "strings"
//! difficulty = 2
//! [names]
//! run_lengths = ["encode_runs", "compress_runs", "shorten_runs"]
//! ---
//! Compress a string by its runs. Implement `{signature}`: each run of one and the same character becomes the run's length
//! followed by the character, but a run of length one is the character alone. `aaabcc` becomes `3ab2c`.

pub fn run_lengths(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let mut length = 1;
        while letters.peek() == Some(&letter) {
            letters.next();
            length += 1;
        }
        if length > 1 {
            out.push_str(&length.to_string());
        }
        out.push(letter);
    }
    out
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed() {
        assert_eq!(run_lengths("aaabcc"), "3ab2c");
        assert_eq!(run_lengths("abbba"), "a3ba");
    }
    #[test]
    fn single() {
        assert_eq!(run_lengths("abc"), "abc");
        assert_eq!(run_lengths("z"), "z");
    }
    #[test]
    fn empty() {
        assert_eq!(run_lengths(""), "");
    }
    #[test]
    fn long_and_wide() {
        assert_eq!(run_lengths(&"x".repeat(12)), "12x");
        assert_eq!(run_lengths("ééé"), "3é");
        assert_eq!(run_lengths("aab"), "2ab");
    }
}
