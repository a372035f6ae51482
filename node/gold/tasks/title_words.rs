//! domain = "strings"
//! difficulty = 1
//! [names]
//! title_words = ["capitalize_words", "title_case", "upper_initials"]
//! ---
//! Write a Rust function `{signature}` that returns the text with the first letter of every word in upper case and the
//! other letters of the word in lower case. Words are separated by single spaces in the result, whatever white space
//! separated them before. An empty text gives an empty string.

pub fn title_words(text: &str) -> String {
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            let rest = letters.as_str().to_lowercase();
            words.push(format!("{}{}", first.to_uppercase(), rest));
        }
    }
    words.join(" ")
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals() {
        assert_eq!(title_words("hello world"), "Hello World");
        assert_eq!(title_words("rUST iS fun"), "Rust Is Fun");
    }
    #[test]
    fn white_space() {
        assert_eq!(title_words("  a\t b\n"), "A B");
        assert_eq!(title_words(" \t "), "");
    }
    #[test]
    fn small() {
        assert_eq!(title_words(""), "");
        assert_eq!(title_words("x"), "X");
    }
    #[test]
    fn beyond_ascii() {
        assert_eq!(title_words("élan vital"), "Élan Vital");
        assert_eq!(title_words("7up 3D"), "7up 3d");
    }
}
