//! domain = "algorithms"
//! difficulty = 3
//! [names]
//! edit_distance = ["levenshtein", "text_distance"]
//! ---
//! Write `{signature}` in Rust, the Levenshtein distance: the least number of characters to insert, delete or replace that
//! turns one text into the other. Count characters, not bytes.

pub fn edit_distance(one: &str, other: &str) -> usize {
    let target: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=target.len()).collect();
    for (done, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = done + 1;
        for (place, &wanted) in target.iter().enumerate() {
            let replaced = if letter == wanted {
                diagonal
            } else {
                diagonal + 1
            };
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[target.len()]
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("flaw", "lawn"), 2);
        assert_eq!(edit_distance("sunday", "saturday"), 3);
    }
    #[test]
    fn empty() {
        assert_eq!(edit_distance("", ""), 0);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("abc", ""), 3);
    }
    #[test]
    fn single_steps() {
        assert_eq!(edit_distance("same", "same"), 0);
        assert_eq!(edit_distance("a", "b"), 1);
        assert_eq!(edit_distance("ab", "b"), 1);
        assert_eq!(edit_distance("ab", "ba"), 2);
    }
    #[test]
    fn characters() {
        assert_eq!(edit_distance("é", "e"), 1);
        assert_eq!(edit_distance("日本語", "日本"), 1);
    }
}
