//! domain = "strings"
//! difficulty = 2
//! [names]
//! mask_digits = ["hide_digits", "redact_number"]
//! [constants]
//! KEPT = [4, 3, 2]
//! ---
//! For our logs: write `{signature}` in Rust. It replaces every ASCII digit of the text by `*`, except the last {KEPT}
//! digits, which stay readable. All other characters stay. With {KEPT} digits or fewer nothing is replaced.

const KEPT: usize = 4;

pub fn mask_digits(text: &str) -> String {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let mut hidden = digits.saturating_sub(KEPT);
    text.chars()
        .map(|letter| {
            if letter.is_ascii_digit() && hidden > 0 {
                hidden -= 1;
                '*'
            } else {
                letter
            }
        })
        .collect()
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: usize = 4;
    fn nines(count: usize) -> String {
        "9".repeat(count)
    }
    #[test]
    fn long() {
        assert_eq!(mask_digits(&nines(KEPT + 3)), format!("***{}", nines(KEPT)));
        assert_eq!(mask_digits(&nines(KEPT + 1)), format!("*{}", nines(KEPT)));
    }
    #[test]
    fn short() {
        assert_eq!(mask_digits(&nines(KEPT)), nines(KEPT));
        assert_eq!(mask_digits(""), "");
        assert_eq!(mask_digits("7"), "7");
    }
    #[test]
    fn others_stay() {
        assert_eq!(mask_digits("no digits *"), "no digits *");
        assert_eq!(
            mask_digits(&format!("id 1-2/{}", nines(KEPT))),
            format!("id *-*/{}", nines(KEPT))
        );
    }
    #[test]
    fn after_digits() {
        assert_eq!(
            mask_digits(&format!("5{} end", nines(KEPT))),
            format!("*{} end", nines(KEPT))
        );
        assert_eq!(mask_digits("٣٣٣٣٣٣٣"), "٣٣٣٣٣٣٣");
    }
}
