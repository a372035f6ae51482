//! domain = "parsing"
//! difficulty = 3
//! [names]
//! parse_duration = ["duration_seconds", "read_duration"]
//! ---
//! Parse durations such as `1h30m` or `45s`. Write `{signature}`: it returns the seconds. The text consists of one or more
//! parts, each a whole number followed by `h`, `m` or `s`; each unit occurs at most once, and in this order. Anything else,
//! also an empty text, a missing number or an overflow, gives `None`.

pub fn parse_duration(text: &str) -> Option<u32> {
    let mut rest = text;
    let mut total: u32 = 0;
    for (unit, seconds) in [('h', 3600u32), ('m', 60), ('s', 1)] {
        let (number, tail) = match rest.split_once(unit) {
            Some(parts) => parts,
            None => continue,
        };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let value: u32 = number.parse().ok()?;
        total = total.checked_add(value.checked_mul(seconds)?)?;
        rest = tail;
    }
    (rest.is_empty() && !text.is_empty()).then_some(total)
}

//~ driver
pub fn drive(
    hours: Option<u16>,
    minutes: Option<u32>,
    seconds: Option<u32>,
    kind: u8,
) -> Option<u32> {
    let part =
        |number: Option<u32>, unit: &str| number.map_or(String::new(), |n| format!("{n}{unit}"));
    let (first, second, third) = (
        part(hours.map(u32::from), "h"),
        part(minutes, "m"),
        part(seconds, "s"),
    );
    parse_duration(&match kind % 6 {
        4 => format!("{second}{first}{third}"),
        5 => format!("{first}{second}{third}1"),
        _ => format!("{first}{second}{third}"),
    })
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        assert_eq!(parse_duration("1h30m"), Some(5400));
        assert_eq!(parse_duration("45s"), Some(45));
        assert_eq!(parse_duration("2h3m4s"), Some(7384));
        assert_eq!(parse_duration("1h1s"), Some(3601));
    }
    #[test]
    fn zero() {
        assert_eq!(parse_duration("0s"), Some(0));
        assert_eq!(parse_duration("00m"), Some(0));
    }
    #[test]
    fn wrong() {
        assert_eq!(parse_duration(""), None);
        assert_eq!(parse_duration("5"), None);
        assert_eq!(parse_duration("h"), None);
        assert_eq!(parse_duration("1h2"), None);
        assert_eq!(parse_duration("+1s"), None);
    }
    #[test]
    fn order() {
        assert_eq!(parse_duration("1s1m"), None);
        assert_eq!(parse_duration("1m1m"), None);
        assert_eq!(parse_duration("1h h"), None);
    }
    #[test]
    fn overflow() {
        assert_eq!(parse_duration("4294967295s"), Some(u32::MAX));
        assert_eq!(parse_duration("4294967296s"), None);
        assert_eq!(parse_duration("2000000h"), None);
    }
}
