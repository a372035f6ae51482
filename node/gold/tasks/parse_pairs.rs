//! domain = "parsing"
//! difficulty = 2
//! [names]
//! parse_pairs = ["read_settings", "parse_settings"]
//! ---
//! In Rust, implement `{signature}`. The text holds one `key = value` a line. White space around keys and values is removed;
//! empty lines and lines that begin with `#` (after white space) are skipped. The value is all that follows the first `=`.
//! A line without `=` or with an empty key is an error, whose value is the line's number, counted from 1. Later values of a
//! key replace earlier ones.

use std::collections::BTreeMap;

pub fn parse_pairs(text: &str) -> Result<BTreeMap<String, String>, usize> {
    let mut pairs = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').ok_or(number + 1)?;
        let key = key.trim();
        if key.is_empty() {
            return Err(number + 1);
        }
        pairs.insert(key.to_string(), value.trim().to_string());
    }
    Ok(pairs)
}

//~ driver
pub fn drive(picks: Vec<u8>) -> Result<std::collections::BTreeMap<String, String>, usize> {
    const PARTS: [&str; 8] = [" a", "=", "1", "\n", "b = 2\n", "# c", "\n\n", " = "];
    let mut text = String::new();
    for pick in picks {
        text.push_str(PARTS[usize::from(pick) % PARTS.len()]);
    }
    parse_pairs(&text)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, key: &str) -> Option<String> {
        parse_pairs(text).ok()?.remove(key)
    }
    #[test]
    fn values() {
        assert_eq!(value("a = 1\nb=2", "a").as_deref(), Some("1"));
        assert_eq!(value("a = 1\nb=2", "b").as_deref(), Some("2"));
        assert_eq!(value("k =", "k").as_deref(), Some(""));
    }
    #[test]
    fn first_equals_sign() {
        assert_eq!(value("x = y = z", "x").as_deref(), Some("y = z"));
        assert_eq!(value("a=1\na=2", "a").as_deref(), Some("2"));
    }
    #[test]
    fn skipped() {
        assert_eq!(parse_pairs("\n# c = d\n  # e\n"), Ok(BTreeMap::new()));
        assert_eq!(parse_pairs(""), Ok(BTreeMap::new()));
        assert_eq!(value("v = # 1", "v").as_deref(), Some("# 1"));
    }
    #[test]
    fn errors() {
        assert_eq!(parse_pairs("a = 1\noops"), Err(2));
        assert_eq!(parse_pairs("= 1"), Err(1));
        assert_eq!(parse_pairs("# c\n\n = x"), Err(3));
    }
}
