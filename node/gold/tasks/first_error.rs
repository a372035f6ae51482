//! domain = "errors"
//! difficulty = 2
//! [names]
//! parse_all = ["read_numbers", "convert_all"]
//! BadNumber = ["NumberError", "ItemError"]
//! ---
//! Write in Rust an enum `BadNumber` (deriving `Debug`, `PartialEq` and `Eq`) with the variants `Empty(usize)`,
//! `Invalid(usize)` and `Negative(usize)`, and a function `{signature}`. It converts all texts, after removing white space at
//! both ends, and stops at the first bad one; the error holds its index. `Empty`: nothing is left of the text. `Invalid`: it
//! is not an `i64`. `Negative`: it is smaller than 0.

#[derive(Debug, PartialEq, Eq)]
pub enum BadNumber {
    Empty(usize),
    Invalid(usize),
    Negative(usize),
}

pub fn parse_all(texts: &[&str]) -> Result<Vec<i64>, BadNumber> {
    let mut numbers = Vec::new();
    for (place, text) in texts.iter().enumerate() {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadNumber::Empty(place));
        }
        let number: i64 = text.parse().map_err(|_| BadNumber::Invalid(place))?;
        if number < 0 {
            return Err(BadNumber::Negative(place));
        }
        numbers.push(number);
    }
    Ok(numbers)
}

//~ driver
pub fn drive(texts: Vec<String>, numbers: Vec<i64>, place: usize) -> String {
    let mut all: Vec<String> = numbers.iter().map(i64::to_string).collect();
    let place = place % (all.len() + 1);
    all.splice(place..place, texts.into_iter().take(1));
    let borrowed: Vec<&str> = all.iter().map(String::as_str).collect();
    match parse_all(&borrowed) {
        Ok(numbers) => format!("{numbers:?}"),
        Err(BadNumber::Empty(place)) => format!("empty {place}"),
        Err(BadNumber::Invalid(place)) => format!("invalid {place}"),
        Err(BadNumber::Negative(place)) => format!("negative {place}"),
    }
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good() {
        assert_eq!(parse_all(&["1", " 22 ", "0"]), Ok(vec![1, 22, 0]));
        assert_eq!(parse_all(&[]), Ok(vec![]));
        assert_eq!(parse_all(&["+7"]), Ok(vec![7]));
    }
    #[test]
    fn empty() {
        assert_eq!(parse_all(&["1", ""]), Err(BadNumber::Empty(1)));
        assert_eq!(parse_all(&["  ", "x"]), Err(BadNumber::Empty(0)));
    }
    #[test]
    fn invalid() {
        assert_eq!(parse_all(&["1", "2", "x3"]), Err(BadNumber::Invalid(2)));
        assert_eq!(
            parse_all(&["9223372036854775808"]),
            Err(BadNumber::Invalid(0))
        );
        assert_eq!(parse_all(&["1.5", "-1"]), Err(BadNumber::Invalid(0)));
    }
    #[test]
    fn negative() {
        assert_eq!(parse_all(&["-1"]), Err(BadNumber::Negative(0)));
        assert_eq!(parse_all(&["3", "-4", ""]), Err(BadNumber::Negative(1)));
        assert_eq!(parse_all(&["-0"]), Ok(vec![0]));
    }
}
