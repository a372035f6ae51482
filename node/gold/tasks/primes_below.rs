//! domain = "numbers"
//! difficulty = 2
//! [names]
//! primes_below = ["primes_under", "sieve", "small_primes"]
//! ---
//! Please write a sieve in Rust: a function `primes_below` that takes a `usize` and returns a `Vec<usize>` with all primes
//! strictly smaller than it, in ascending order.

pub fn primes_below(limit: usize) -> Vec<usize> {
    let mut composite = vec![false; limit.max(2)];
    let mut primes = Vec::new();
    for number in 2..limit {
        if composite[number] {
            continue;
        }
        primes.push(number);
        let mut multiple = number * number;
        while multiple < limit {
            composite[multiple] = true;
            multiple += number;
        }
    }
    primes
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some() {
        assert_eq!(primes_below(10), [2, 3, 5, 7]);
        assert_eq!(primes_below(30), [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
    }
    #[test]
    fn strictly() {
        assert_eq!(primes_below(7), [2, 3, 5]);
        assert_eq!(primes_below(8), [2, 3, 5, 7]);
        assert_eq!(primes_below(26).len(), 9);
    }
    #[test]
    fn none() {
        assert!(primes_below(0).is_empty());
        assert!(primes_below(1).is_empty());
        assert!(primes_below(2).is_empty());
        assert_eq!(primes_below(3), [2]);
    }
    #[test]
    fn many() {
        assert_eq!(primes_below(1000).len(), 168);
        assert_eq!(primes_below(1000).last(), Some(&997));
    }
}
