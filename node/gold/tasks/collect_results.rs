//! domain = "errors"
//! difficulty = 1
//! [names]
//! divide_all = ["divide_each", "share_out"]
//! ---
//! Write a function `divide_all` in Rust that takes a `&[i32]` and a divisor `i32` and returns a
//! `Result<Vec<i32>, String>` with the quotients. If the divisor is 0, the error is `division by zero`. If a quotient does not
//! fit into an `i32`, the error is `overflow at N`, where N is the index. For no numbers at all the result is an empty list,
//! whatever the divisor.

pub fn divide_all(numbers: &[i32], divisor: i32) -> Result<Vec<i32>, String> {
    let mut quotients = Vec::new();
    for (place, number) in numbers.iter().enumerate() {
        if divisor == 0 {
            return Err("division by zero".to_string());
        }
        let quotient = number
            .checked_div(divisor)
            .ok_or_else(|| format!("overflow at {place}"))?;
        quotients.push(quotient);
    }
    Ok(quotients)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients() {
        assert_eq!(divide_all(&[10, 7, -7], 2), Ok(vec![5, 3, -3]));
        assert_eq!(divide_all(&[0, 9], -3), Ok(vec![0, -3]));
    }
    #[test]
    fn zero() {
        assert_eq!(divide_all(&[1], 0), Err("division by zero".to_string()));
        assert_eq!(divide_all(&[0, 0], 0), Err("division by zero".to_string()));
    }
    #[test]
    fn overflow() {
        assert_eq!(
            divide_all(&[4, i32::MIN], -1),
            Err("overflow at 1".to_string())
        );
        assert_eq!(divide_all(&[i32::MIN], 1), Ok(vec![i32::MIN]));
    }
    #[test]
    fn empty() {
        assert_eq!(divide_all(&[], 0), Ok(vec![]));
        assert_eq!(divide_all(&[], 5), Ok(vec![]));
    }
}
