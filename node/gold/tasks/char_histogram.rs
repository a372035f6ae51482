//! domain = "std"
//! difficulty = 2
//! [names]
//! histogram = ["bar_chart", "letter_bars"]
//! ---
//! Draw a text histogram: `{signature}` in Rust. For each different letter of the text (only ASCII letters count, without
//! regard to case) the result holds one line such as `a: ###`, with as many `#` as the letter occurs, in alphabetical order.
//! No letter, no line.

pub fn histogram(text: &str) -> Vec<String> {
    let mut counts = [0usize; 26];
    for byte in text.bytes().filter(u8::is_ascii_alphabetic) {
        counts[usize::from(byte.to_ascii_lowercase() - b'a')] += 1;
    }
    ('a'..='z')
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .map(|(letter, count)| format!("{letter}: {}", "#".repeat(count)))
        .collect()
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters() {
        assert_eq!(histogram("banana"), ["a: ###", "b: #", "n: ##"]);
        assert_eq!(histogram("zA"), ["a: #", "z: #"]);
    }
    #[test]
    fn case() {
        assert_eq!(histogram("aAa"), ["a: ###"]);
        assert_eq!(histogram("XYxy"), ["x: ##", "y: ##"]);
    }
    #[test]
    fn others() {
        assert!(histogram("").is_empty());
        assert!(histogram("1 - é").is_empty());
        assert_eq!(histogram("a1!"), ["a: #"]);
    }
}
