//! domain = "parsing"
//! difficulty = 3
//! [names]
//! split_csv = ["csv_fields", "parse_csv_line"]
//! ---
//! Split one line of CSV in Rust: `{signature}`. Fields are separated by commas. A field that begins with `"` is quoted: it
//! ends at the next single `"`, and `""` in it stands for one `"`; commas in it belong to the field. After its end there must
//! be a comma or the end of the line, else the result is `None`, as for a quote that is never closed. Quotes inside unquoted
//! fields are ordinary characters. An empty line has one empty field.

pub fn split_csv(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut letters = line.chars().peekable();
    loop {
        let mut field = String::new();
        if letters.peek() == Some(&'"') {
            letters.next();
            loop {
                match letters.next()? {
                    '"' if letters.peek() == Some(&'"') => {
                        letters.next();
                        field.push('"');
                    }
                    '"' => break,
                    letter => field.push(letter),
                }
            }
        } else {
            while let Some(letter) = letters.next_if(|&letter| letter != ',') {
                field.push(letter);
            }
        }
        fields.push(field);
        match letters.next() {
            None => return Some(fields),
            Some(',') => continue,
            Some(_) => return None,
        }
    }
}

//~ driver
pub fn drive(picks: Vec<u8>) -> Option<Vec<String>> {
    const PARTS: [&str; 8] = ["a", ",", "\"x\"", "\"", "\"\"", "b c", ",\"", "\","];
    let mut text = String::new();
    for pick in picks {
        text.push_str(PARTS[usize::from(pick) % PARTS.len()]);
    }
    split_csv(&text)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        split_csv(line).map_or_else(|| "none".to_string(), |fields| fields.join("|"))
    }
    #[test]
    fn plain() {
        assert_eq!(shown("a,b,c"), "a|b|c");
        assert_eq!(shown(" a , b"), " a | b");
        assert_eq!(split_csv(""), Some(vec![String::new()]));
    }
    #[test]
    fn empty_fields() {
        assert_eq!(shown(",a,"), "|a|");
        assert_eq!(split_csv(",").map(|fields| fields.len()), Some(2));
        assert_eq!(shown("\"\",x"), "|x");
    }
    #[test]
    fn quoted() {
        assert_eq!(shown("\"a,b\",c"), "a,b|c");
        assert_eq!(shown("\"say \"\"hi\"\"\""), "say \"hi\"");
        assert_eq!(shown("\"\"\"\""), "\"");
    }
    #[test]
    fn broken() {
        assert_eq!(shown("\"open"), "none");
        assert_eq!(shown("\"a\"b,c"), "none");
        assert_eq!(shown("\"a\"\"\""), "a\"");
    }
    #[test]
    fn inner_quotes() {
        assert_eq!(shown("a\"b,c"), "a\"b|c");
        assert_eq!(shown("5\" pipe"), "5\" pipe");
    }
}
