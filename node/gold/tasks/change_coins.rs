//! domain = "numbers"
//! difficulty = 3
//! [names]
//! change_coins = ["fewest_coins", "min_coins"]
//! ---
//! Write `{signature}`: the smallest number of coins with which `amount` can be paid exactly, if there are as many coins of
//! each value as needed. 0 needs no coin. If it cannot be paid, the result is `None`. Coins of value 0 are ignored. The
//! amount is at most 10,000.

pub fn change_coins(coins: &[usize], amount: usize) -> Option<usize> {
    let mut fewest: Vec<Option<usize>> = vec![None; amount + 1];
    fewest[0] = Some(0);
    for sum in 1..=amount {
        for &coin in coins {
            if coin == 0 || coin > sum {
                continue;
            }
            if let Some(before) = fewest[sum - coin] {
                let better = match fewest[sum] {
                    Some(known) => before + 1 < known,
                    None => true,
                };
                if better {
                    fewest[sum] = Some(before + 1);
                }
            }
        }
    }
    fewest[amount]
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greedy_fails() {
        assert_eq!(change_coins(&[1, 3, 4], 6), Some(2));
        assert_eq!(change_coins(&[1, 5, 10, 25], 30), Some(2));
        assert_eq!(change_coins(&[9, 6, 1], 12), Some(2));
    }
    #[test]
    fn zero() {
        assert_eq!(change_coins(&[1], 0), Some(0));
        assert_eq!(change_coins(&[], 0), Some(0));
        assert_eq!(change_coins(&[0, 2], 4), Some(2));
    }
    #[test]
    fn impossible() {
        assert_eq!(change_coins(&[2], 3), None);
        assert_eq!(change_coins(&[], 1), None);
        assert_eq!(change_coins(&[5, 7], 6), None);
    }
    #[test]
    fn exact() {
        assert_eq!(change_coins(&[7], 7), Some(1));
        assert_eq!(change_coins(&[2, 5], 11), Some(4));
        assert_eq!(change_coins(&[1], 100), Some(100));
    }
}
