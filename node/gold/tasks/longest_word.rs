//! domain = "strings"
//! difficulty = 1
//! [names]
//! longest_word = ["find_longest", "longest_token"]
//! ---
//! Write a Rust function `{signature}`. It returns the longest word of `text`, where words are separated by white space and
//! length is counted in characters. Of several longest words the first one is returned; without any word the result is
//! `None`.

pub fn longest_word(text: &str) -> Option<&str> {
    let mut best: Option<&str> = None;
    for word in text.split_whitespace() {
        let longer = match best {
            Some(known) => word.chars().count() > known.chars().count(),
            None => true,
        };
        if longer {
            best = Some(word);
        }
    }
    best
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain() {
        assert_eq!(longest_word("a bbb cc"), Some("bbb"));
        assert_eq!(longest_word("  one  "), Some("one"));
    }
    #[test]
    fn first_of_equals() {
        assert_eq!(longest_word("abc def gh"), Some("abc"));
        assert_eq!(longest_word("x y"), Some("x"));
    }
    #[test]
    fn nothing() {
        assert_eq!(longest_word(""), None);
        assert_eq!(longest_word(" \n\t"), None);
    }
    #[test]
    fn characters() {
        assert_eq!(longest_word("éé abc"), Some("abc"));
        assert_eq!(longest_word("日本 ab"), Some("日本"));
    }
}
