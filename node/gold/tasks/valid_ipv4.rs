//! domain = "parsing"
//! difficulty = 2
//! [names]
//! valid_ipv4 = ["read_ipv4", "parse_address"]
//! ---
//! Write `{signature}` in Rust without using the parser of the standard library for addresses. An address has exactly four
//! numbers from 0 to 255, separated by dots, with digits only and without leading zeros. The result holds the four numbers,
//! or `None`.

pub fn valid_ipv4(text: &str) -> Option<[u8; 4]> {
    let mut address = [0u8; 4];
    let mut count = 0;
    for part in text.split('.') {
        let zero_first = part.starts_with('0') && part != "0";
        if count == 4 || zero_first || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        address[count] = part.parse().ok()?;
        count += 1;
    }
    (count == 4).then_some(address)
}

//~ driver
pub fn drive(parts: Vec<u16>, kind: u8) -> Option<[u8; 4]> {
    let mut texts: Vec<String> = parts.iter().map(|part| (part % 300).to_string()).collect();
    texts.resize(if kind % 6 == 5 { 5 } else { 4 }, "7".to_string());
    match kind % 8 {
        6 => texts[1].insert(0, '0'),
        7 => texts[2].insert(0, '+'),
        _ => {}
    }
    valid_ipv4(&texts.join("."))
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid() {
        assert_eq!(valid_ipv4("192.168.0.1"), Some([192, 168, 0, 1]));
        assert_eq!(valid_ipv4("0.0.0.0"), Some([0, 0, 0, 0]));
        assert_eq!(valid_ipv4("255.255.255.255"), Some([255; 4]));
    }
    #[test]
    fn count() {
        assert_eq!(valid_ipv4("1.2.3"), None);
        assert_eq!(valid_ipv4("1.2.3.4.5"), None);
        assert_eq!(valid_ipv4(""), None);
        assert_eq!(valid_ipv4("1.2.3."), None);
    }
    #[test]
    fn too_large() {
        assert_eq!(valid_ipv4("256.1.1.1"), None);
        assert_eq!(valid_ipv4("1.1.1.999"), None);
    }
    #[test]
    fn form() {
        assert_eq!(valid_ipv4("01.2.3.4"), None);
        assert_eq!(valid_ipv4("1.2.3.00"), None);
        assert_eq!(valid_ipv4("+1.2.3.4"), None);
        assert_eq!(valid_ipv4("1.2.3.4 "), None);
    }
}
