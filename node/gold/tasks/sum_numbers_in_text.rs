//! domain = "parsing"
//! difficulty = 1
//! [names]
//! sum_numbers_in_text = ["add_numbers_in", "total_of_numbers"]
//! ---
//! Write a function `sum_numbers_in_text` in Rust that takes a `&str` and returns a `u64`: the sum of all whole numbers in
//! the text. A number is a longest run of ASCII digits, so `a12b3` gives 15. A minus sign has no meaning. Each number and the
//! sum fit into a `u64`.

pub fn sum_numbers_in_text(text: &str) -> u64 {
    let mut sum = 0;
    let mut number = 0;
    for letter in text.chars() {
        if let Some(digit) = letter.to_digit(10) {
            number = number * 10 + u64::from(digit);
        } else {
            sum += number;
            number = 0;
        }
    }
    sum + number
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed() {
        assert_eq!(sum_numbers_in_text("a12b3"), 15);
        assert_eq!(sum_numbers_in_text("1 2 3"), 6);
        assert_eq!(sum_numbers_in_text("100"), 100);
    }
    #[test]
    fn none() {
        assert_eq!(sum_numbers_in_text(""), 0);
        assert_eq!(sum_numbers_in_text("abc"), 0);
    }
    #[test]
    fn signs() {
        assert_eq!(sum_numbers_in_text("-5"), 5);
        assert_eq!(sum_numbers_in_text("3.14"), 17);
        assert_eq!(sum_numbers_in_text("007"), 7);
        assert_eq!(sum_numbers_in_text("9x"), 9);
    }
}
