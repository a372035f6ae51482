//! domain = "strings"
//! difficulty = 2
//! [names]
//! snake_to_camel = ["camel_case", "to_camel", "camelize"]
//! ---
//! I have names such as `max_file_size` and want `maxFileSize`. Please write `{signature}` in Rust. Underscores vanish, the
//! letter after one or more underscores becomes upper case, all others stay. Underscores at the beginning and at the end
//! are removed and change no letter.

pub fn snake_to_camel(name: &str) -> String {
    let mut out = String::new();
    let mut raise = false;
    for letter in name.chars() {
        if letter == '_' {
            raise = !out.is_empty();
        } else if raise {
            out.extend(letter.to_uppercase());
            raise = false;
        } else {
            out.push(letter);
        }
    }
    out
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(snake_to_camel("max_file_size"), "maxFileSize");
        assert_eq!(snake_to_camel("a_b"), "aB");
    }
    #[test]
    fn unchanged() {
        assert_eq!(snake_to_camel("plain"), "plain");
        assert_eq!(snake_to_camel("KeepME"), "KeepME");
        assert_eq!(snake_to_camel(""), "");
    }
    #[test]
    fn edges() {
        assert_eq!(snake_to_camel("__init__"), "init");
        assert_eq!(snake_to_camel("_x_y_"), "xY");
        assert_eq!(snake_to_camel("___"), "");
    }
    #[test]
    fn repeated() {
        assert_eq!(snake_to_camel("a__b"), "aB");
        assert_eq!(snake_to_camel("v_2_x"), "v2X");
    }
}
