//! domain = "parsing"
//! difficulty = 2
//! [names]
//! parse_version = ["read_version", "version_parts"]
//! ---
//! Write `{signature}` in Rust for versions such as `1.20.3` or `v2.0.1`: an optional `v`, then exactly three numbers,
//! separated by dots. A number has digits only and no leading zero, unless it is 0 itself. Otherwise the result is `None`,
//! as for a number that does not fit.

pub fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    fn number(part: &str) -> Option<u32> {
        let leading_zero = part.len() > 1 && part.starts_with('0');
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        if leading_zero || !digits {
            return None;
        }
        part.parse().ok()
    }
    let plain = text.strip_prefix('v').unwrap_or(text);
    let mut parts = plain.split('.');
    let version = (
        number(parts.next()?)?,
        number(parts.next()?)?,
        number(parts.next()?)?,
    );
    parts.next().is_none().then_some(version)
}

//~ driver
pub fn drive(major: u32, minor: u16, patch: u8, kind: u8) -> Option<(u32, u32, u32)> {
    parse_version(&match kind % 8 {
        0 => format!("v{major}.{minor}.{patch}"),
        1 => format!("{major}.{minor}"),
        2 => format!("0{major}.{minor}.{patch}"),
        3 => format!("{major}.{minor}.{patch}.1"),
        4 => format!("{major}.+{minor}.{patch}"),
        5 => format!("{major}..{patch}"),
        _ => format!("{major}.{minor}.{patch}"),
    })
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse_version("1.20.3"), Some((1, 20, 3)));
        assert_eq!(parse_version("v2.0.1"), Some((2, 0, 1)));
        assert_eq!(parse_version("0.0.0"), Some((0, 0, 0)));
    }
    #[test]
    fn count() {
        assert_eq!(parse_version("1.2"), None);
        assert_eq!(parse_version("1.2.3.4"), None);
        assert_eq!(parse_version(""), None);
        assert_eq!(parse_version("1..3"), None);
    }
    #[test]
    fn zeros() {
        assert_eq!(parse_version("01.2.3"), None);
        assert_eq!(parse_version("1.00.3"), None);
        assert_eq!(parse_version("10.0.100"), Some((10, 0, 100)));
    }
    #[test]
    fn other_characters() {
        assert_eq!(parse_version("vv1.2.3"), None);
        assert_eq!(parse_version("1.+2.3"), None);
        assert_eq!(parse_version("1.2.4294967296"), None);
        assert_eq!(parse_version(" 1.2.3"), None);
    }
}
