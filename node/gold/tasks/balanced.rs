//! domain = "strings"
//! difficulty = 2
//! [names]
//! balanced = ["is_balanced", "brackets_match", "well_nested"]
//! ---
//! Implement `{signature}` in Rust. It returns whether the round, square and curly brackets of `text` are balanced and
//! properly nested. Characters that are no brackets are ignored.

pub fn balanced(text: &str) -> bool {
    let mut open = Vec::new();
    for letter in text.chars() {
        match letter {
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' if open.pop() != Some(letter) => return false,
            _ => {}
        }
    }
    open.is_empty()
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good() {
        assert!(balanced("()[]{}"));
        assert!(balanced("{[()()]}"));
        assert!(balanced("fn f(a: [u8; 2]) { a[0] }"));
    }
    #[test]
    fn empty() {
        assert!(balanced(""));
        assert!(balanced("none at all"));
    }
    #[test]
    fn crossed() {
        assert!(!balanced("([)]"));
        assert!(!balanced("{(})"));
    }
    #[test]
    fn left_over() {
        assert!(!balanced("("));
        assert!(!balanced("())"));
        assert!(!balanced("]"));
        assert!(!balanced("[[]"));
    }
}
