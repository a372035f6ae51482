//! domain = "parsing"
//! difficulty = 2
//! [names]
//! eval_rpn = ["postfix_value", "run_postfix"]
//! ---
//! Please implement a calculator for postfix notation: `{signature}`. Tokens are separated by white space: numbers (`i64`)
//! and the operators `+ - * /`. Division is that of Rust's integers. `None` is returned for an unknown token, a missing
//! operand, a division by zero, an overflow, or if not exactly one value is left at the end.

pub fn eval_rpn(text: &str) -> Option<i64> {
    let mut stack: Vec<i64> = Vec::new();
    for token in text.split_whitespace() {
        if let Ok(number) = token.parse() {
            stack.push(number);
            continue;
        }
        let right = stack.pop()?;
        let left = stack.pop()?;
        let value = match token {
            "+" => left.checked_add(right)?,
            "-" => left.checked_sub(right)?,
            "*" => left.checked_mul(right)?,
            "/" => left.checked_div(right)?,
            _ => return None,
        };
        stack.push(value);
    }
    let result = stack.pop()?;
    stack.is_empty().then_some(result)
}

//~ driver
pub fn drive(picks: Vec<u8>) -> Option<i64> {
    const PARTS: [&str; 9] = ["1 ", "+ ", "2 ", "* ", "10 ", "- ", "0 ", "/ ", "-4 "];
    let mut text = String::from("7 30 5 ");
    for pick in picks {
        text.push_str(PARTS[usize::from(pick) % PARTS.len()]);
    }
    eval_rpn(&text)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        assert_eq!(eval_rpn("3 4 +"), Some(7));
        assert_eq!(eval_rpn("5 1 2 + 4 * + 3 -"), Some(14));
        assert_eq!(eval_rpn("42"), Some(42));
    }
    #[test]
    fn order() {
        assert_eq!(eval_rpn("7 2 -"), Some(5));
        assert_eq!(eval_rpn("7 2 /"), Some(3));
        assert_eq!(eval_rpn("-7 2 /"), Some(-3));
        assert_eq!(eval_rpn("2 -3 *"), Some(-6));
    }
    #[test]
    fn malformed() {
        assert_eq!(eval_rpn(""), None);
        assert_eq!(eval_rpn("1 +"), None);
        assert_eq!(eval_rpn("1 2"), None);
        assert_eq!(eval_rpn("1 2 ^"), None);
    }
    #[test]
    fn arithmetic() {
        assert_eq!(eval_rpn("1 0 /"), None);
        assert_eq!(eval_rpn("9223372036854775807 1 +"), None);
        assert_eq!(eval_rpn("-9223372036854775808 -1 /"), None);
    }
}
