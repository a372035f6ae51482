//! domain = "parsing"
//! difficulty = 2
//! [names]
//! parse_rgb = ["hex_color", "read_color"]
//! ---
//! Write a Rust function `{signature}` for colours such as `#1a2B3c`: a `#` and exactly six hexadecimal digits, two each for
//! red, green and blue. The short form `#f0c` with three digits means `#ff00cc`. Everything else gives `None`.

pub fn parse_rgb(text: &str) -> Option<(u8, u8, u8)> {
    let digits: Vec<u8> = text
        .strip_prefix('#')?
        .chars()
        .map(|letter| letter.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    match digits[..] {
        [r, g, b] => Some((r * 17, g * 17, b * 17)),
        [r, s, g, h, b, c] => Some((r * 16 + s, g * 16 + h, b * 16 + c)),
        _ => None,
    }
}

//~ driver
pub fn drive(digits: Vec<u8>, kind: u8) -> Option<(u8, u8, u8)> {
    let mut text: String = digits
        .iter()
        .filter_map(|&d| char::from_digit(u32::from(d % 16), 16))
        .collect();
    text.push_str("9bE07d");
    text.truncate(match kind % 5 {
        0 => 3,
        4 => 5,
        _ => 6,
    });
    parse_rgb(&if kind % 7 == 6 {
        text
    } else {
        format!("#{text}")
    })
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long() {
        assert_eq!(parse_rgb("#1a2B3c"), Some((26, 43, 60)));
        assert_eq!(parse_rgb("#ff0080"), Some((255, 0, 128)));
        assert_eq!(parse_rgb("#000000"), Some((0, 0, 0)));
    }
    #[test]
    fn short() {
        assert_eq!(parse_rgb("#f0c"), Some((255, 0, 204)));
        assert_eq!(parse_rgb("#123"), Some((17, 34, 51)));
    }
    #[test]
    fn wrong_length() {
        assert_eq!(parse_rgb("#"), None);
        assert_eq!(parse_rgb("#12345"), None);
        assert_eq!(parse_rgb("#1234567"), None);
    }
    #[test]
    fn wrong_letters() {
        assert_eq!(parse_rgb("123456"), None);
        assert_eq!(parse_rgb("#12345g"), None);
        assert_eq!(parse_rgb("#+12345"), None);
        assert_eq!(parse_rgb(""), None);
        assert_eq!(parse_rgb("##fff"), None);
    }
}
