//! domain = "parsing"
//! difficulty = 2
//! [names]
//! parse_range_list = ["expand_ranges", "page_list"]
//! ---
//! Page lists such as `1-3,7` should become all pages: write `{signature}` in Rust. Parts are separated by commas; each is a
//! number or two numbers with `-` between them, of which the first is not larger than the second. White space around
//! numbers is allowed. The pages are returned in ascending order without repetitions. Anything malformed gives `None`, an
//! empty text an empty list.

use std::collections::BTreeSet;

pub fn parse_range_list(text: &str) -> Option<Vec<u16>> {
    let mut pages = BTreeSet::new();
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: u16 = first.trim().parse().ok()?;
        let last: u16 = last.trim().parse().ok()?;
        if first > last {
            return None;
        }
        pages.extend(first..=last);
    }
    Some(pages.into_iter().collect())
}

//~ driver
pub fn drive(pairs: Vec<(u8, u8)>, alone: Vec<u16>, kind: u8) -> Option<Vec<u16>> {
    let mut parts: Vec<String> = pairs
        .iter()
        .map(|(a, b)| format!("{a}-{}", u16::from(*a) + u16::from(*b % 9)))
        .collect();
    parts.extend(alone.iter().map(|page| format!(" {page} ")));
    if kind % 6 == 5 {
        parts.push("9-7".to_string());
    }
    parse_range_list(&parts.join(","))
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(parse_range_list("1-3,7"), Some(vec![1, 2, 3, 7]));
        assert_eq!(parse_range_list("5"), Some(vec![5]));
        assert_eq!(parse_range_list("4-4"), Some(vec![4]));
    }
    #[test]
    fn sorted() {
        assert_eq!(parse_range_list("9,2-4,3"), Some(vec![2, 3, 4, 9]));
        assert_eq!(parse_range_list("1,1,1"), Some(vec![1]));
    }
    #[test]
    fn white_space() {
        assert_eq!(parse_range_list(" 1 - 2 , 4 "), Some(vec![1, 2, 4]));
        assert_eq!(parse_range_list("  "), Some(vec![]));
        assert_eq!(parse_range_list(""), Some(vec![]));
    }
    #[test]
    fn malformed() {
        assert_eq!(parse_range_list("3-1"), None);
        assert_eq!(parse_range_list("1,,2"), None);
        assert_eq!(parse_range_list("a"), None);
        assert_eq!(parse_range_list("1-2-3"), None);
        assert_eq!(parse_range_list("-5"), None);
    }
}
