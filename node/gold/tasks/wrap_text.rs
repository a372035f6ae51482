//! domain = "strings"
//! difficulty = 3
//! [names]
//! wrap_text = ["break_lines", "fill_lines"]
//! ---
//! Write a greedy line breaker in Rust: `{signature}`. Words (separated by white space) are put into lines, joined by single
//! spaces, so that no line has more than `width` characters; each line takes as many words as fit. A word that is longer
//! than `width` gets a line of its own and is not broken. No words give no lines.

pub fn wrap_text(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    if used > 0 {
        lines.push(line);
    }
    lines
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits() {
        assert_eq!(wrap_text("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrap_text("to be or not", 5), ["to be", "or", "not"]);
    }
    #[test]
    fn exact() {
        assert_eq!(wrap_text("ab cd", 5), ["ab cd"]);
        assert_eq!(wrap_text("ab cd", 4), ["ab", "cd"]);
    }
    #[test]
    fn long_words() {
        assert_eq!(wrap_text("a verylong b", 3), ["a", "verylong", "b"]);
        assert_eq!(wrap_text("x", 0), ["x"]);
    }
    #[test]
    fn nothing() {
        assert!(wrap_text("", 10).is_empty());
        assert!(wrap_text("  \n ", 10).is_empty());
    }
    #[test]
    fn characters() {
        assert_eq!(wrap_text("éé éé", 5), ["éé éé"]);
        assert_eq!(wrap_text(" a  b ", 9), ["a b"]);
    }
}
