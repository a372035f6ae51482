//! domain = "numbers"
//! difficulty = 2
//! [names]
//! to_roman = ["roman_numeral", "roman"]
//! ---
//! In Rust, write `{signature}`. It returns the Roman numeral of the number in upper case, with the usual subtractive forms
//! (4 is IV, 90 is XC), or `None` for 0 and for numbers above 3999.

pub fn to_roman(number: u32) -> Option<String> {
    const SIGNS: [(u32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if number == 0 || number > 3999 {
        return None;
    }
    let mut rest = number;
    let mut numeral = String::new();
    for (value, sign) in SIGNS {
        while rest >= value {
            numeral.push_str(sign);
            rest -= value;
        }
    }
    Some(numeral)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn roman_of(number: u32) -> String {
        to_roman(number).unwrap_or_default()
    }
    #[test]
    fn plain() {
        assert_eq!(roman_of(1), "I");
        assert_eq!(roman_of(8), "VIII");
        assert_eq!(roman_of(2023), "MMXXIII");
    }
    #[test]
    fn subtractive() {
        assert_eq!(roman_of(4), "IV");
        assert_eq!(roman_of(9), "IX");
        assert_eq!(roman_of(44), "XLIV");
        assert_eq!(roman_of(949), "CMXLIX");
    }
    #[test]
    fn largest() {
        assert_eq!(roman_of(3999), "MMMCMXCIX");
        assert_eq!(roman_of(3888), "MMMDCCCLXXXVIII");
    }
    #[test]
    fn outside() {
        assert_eq!(to_roman(0), None);
        assert_eq!(to_roman(4000), None);
    }
}
