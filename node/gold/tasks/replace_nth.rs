//! domain = "strings"
//! difficulty = 2
//! [names]
//! replace_nth = ["replace_occurrence", "swap_nth"]
//! ---
//! Write `{signature}` in Rust. It replaces only the occurrence number `n` of `from` in `text` (the first one has number 0)
//! by `to`, and returns the new text. Occurrences do not overlap and are counted from the left. If there are fewer, or if
//! `from` is empty, the text is returned unchanged.

pub fn replace_nth(text: &str, from: &str, to: &str, n: usize) -> String {
    if from.is_empty() {
        return text.to_string();
    }
    match text.match_indices(from).nth(n) {
        Some((start, found)) => {
            let end = start + found.len();
            format!("{}{}{}", &text[..start], to, &text[end..])
        }
        None => text.to_string(),
    }
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_number() {
        assert_eq!(replace_nth("a-b-c", "-", "+", 0), "a+b-c");
        assert_eq!(replace_nth("a-b-c", "-", "+", 1), "a-b+c");
    }
    #[test]
    fn too_few() {
        assert_eq!(replace_nth("a-b-c", "-", "+", 2), "a-b-c");
        assert_eq!(replace_nth("", "x", "y", 0), "");
    }
    #[test]
    fn no_overlap() {
        assert_eq!(replace_nth("aaaa", "aa", "b", 1), "aab");
        assert_eq!(replace_nth("aaaa", "aa", "b", 2), "aaaa");
    }
    #[test]
    fn edges() {
        assert_eq!(replace_nth("abc", "", "x", 0), "abc");
        assert_eq!(replace_nth("héh", "h", "", 1), "hé");
        assert_eq!(replace_nth("one", "one", "two", 0), "two");
    }
}
