//! domain = "strings"
//! difficulty = 2
//! [names]
//! common_prefix = ["shared_prefix", "longest_prefix"]
//! ---
//! Give me a Rust function `{signature}` that returns the longest prefix that all of the given words share. For no words at
//! all it is the empty string. It must never cut a character in two.

pub fn common_prefix(words: &[&str]) -> String {
    let (first, others) = match words.split_first() {
        Some(parts) => parts,
        None => return String::new(),
    };
    let mut prefix: Vec<char> = first.chars().collect();
    for word in others {
        let same = prefix
            .iter()
            .zip(word.chars())
            .take_while(|(a, b)| **a == *b)
            .count();
        prefix.truncate(same);
    }
    prefix.into_iter().collect()
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared() {
        assert_eq!(common_prefix(&["flower", "flow", "flight"]), "fl");
        assert_eq!(common_prefix(&["inter", "internal", "internet"]), "inter");
    }
    #[test]
    fn nothing_shared() {
        assert_eq!(common_prefix(&["a", "b"]), "");
        assert_eq!(common_prefix(&["same", ""]), "");
    }
    #[test]
    fn few() {
        assert_eq!(common_prefix(&[]), "");
        assert_eq!(common_prefix(&["alone"]), "alone");
    }
    #[test]
    fn wide() {
        assert_eq!(common_prefix(&["été", "étage"]), "ét");
        assert_eq!(common_prefix(&["é", "è"]), "");
    }
}
