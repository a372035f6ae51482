//! domain = "numbers"
//! difficulty = 3
//! [names]
//! luhn = ["checksum_ok", "valid_card"]
//! ---
//! Implement the Luhn check in Rust as `{signature}`. Spaces in the text are ignored. From the right, every second digit is
//! doubled, and 9 is subtracted from what exceeds 9; the sum of all digits must be divisible by 10. Texts with any other
//! character, or with fewer than two digits, are not valid.

pub fn luhn(text: &str) -> bool {
    let mut sum = 0;
    let mut count = 0;
    for letter in text.chars().rev() {
        if letter == ' ' {
            continue;
        }
        let digit = match letter.to_digit(10) {
            Some(digit) => digit,
            None => return false,
        };
        let doubled = if count % 2 == 1 { digit * 2 } else { digit };
        sum += if doubled > 9 { doubled - 9 } else { doubled };
        count += 1;
    }
    count > 1 && sum % 10 == 0
}

//~ driver
pub fn drive(digits: Vec<u8>) -> Vec<bool> {
    let text: String = digits
        .iter()
        .map(|digit| (digit % 10).to_string())
        .collect();
    (0..10)
        .map(|last| luhn(&format!("{text} {last}")))
        .collect()
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid() {
        assert!(luhn("4539 3195 0343 6467"));
        assert!(luhn("059"));
        assert!(luhn("18"));
        assert!(luhn("0 0"));
    }
    #[test]
    fn invalid() {
        assert!(!luhn("4539 3195 0343 6476"));
        assert!(!luhn("19"));
        assert!(!luhn("8273 1232 7352 0569"));
    }
    #[test]
    fn too_short() {
        assert!(!luhn("0"));
        assert!(!luhn(""));
        assert!(!luhn(" 0 "));
    }
    #[test]
    fn other_characters() {
        assert!(!luhn("059a"));
        assert!(!luhn("0-59"));
    }
}
