//! domain = "std"
//! difficulty = 2
//! [names]
//! percent_decode = ["url_decode", "unescape"]
//! ---
//! Write `{signature}` in Rust. Each `%` with two hexadecimal digits stands for a byte, `+` for a space, everything else for
//! itself. An incomplete or wrong escape gives `None`, and so do bytes that are no valid UTF-8 in the end.

pub fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let high = (rest.next()? as char).to_digit(16)?;
                let low = (rest.next()? as char).to_digit(16)?;
                bytes.push((high * 16 + low) as u8);
            }
            b'+' => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

//~ driver
pub fn drive(text: String, places: Vec<u8>) -> Option<String> {
    let mut bytes = text.into_bytes();
    for (number, &place) in places.iter().enumerate() {
        let at = usize::from(place) % (bytes.len() + 1);
        let added = ["%41", "+", "%c3%A9", "%7e", "%2"][(number + usize::from(place)) % 5];
        bytes.splice(at..at, added.bytes());
    }
    percent_decode(&String::from_utf8_lossy(&bytes))
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        percent_decode(text).unwrap_or_else(|| "none".to_string())
    }
    #[test]
    fn escapes() {
        assert_eq!(shown("a%20b"), "a b");
        assert_eq!(shown("%41%42"), "AB");
        assert_eq!(shown("caf%C3%a9"), "café");
    }
    #[test]
    fn plus() {
        assert_eq!(shown("a+b"), "a b");
        assert_eq!(shown("a%2Bb"), "a+b");
    }
    #[test]
    fn plain() {
        assert_eq!(shown(""), "");
        assert_eq!(shown("é"), "é");
        assert_eq!(shown("100%25"), "100%");
    }
    #[test]
    fn broken() {
        assert_eq!(shown("%"), "none");
        assert_eq!(shown("%4"), "none");
        assert_eq!(shown("%zz"), "none");
        assert_eq!(shown("%ff"), "none");
        assert_eq!(shown("%+1"), "none");
    }
}
