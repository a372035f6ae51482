//! domain = "algorithms"
//! difficulty = 3
//! [names]
//! topological = ["build_order", "dependency_order"]
//! ---
//! Find an order of tasks in Rust: `{signature}`. Tasks are numbered from 0 to `count - 1`; a pair (a, b) says that a must
//! come before b. Of all tasks that may come next, the one with the smallest number is taken. If there is no order, or if a
//! pair names a task that does not exist, the result is `None`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub fn topological(count: usize, before: &[(usize, usize)]) -> Option<Vec<usize>> {
    let mut waiting = vec![0; count];
    let mut followers = vec![Vec::new(); count];
    for &(first, second) in before {
        if first >= count || second >= count {
            return None;
        }
        waiting[second] += 1;
        followers[first].push(second);
    }
    let mut ready: BinaryHeap<Reverse<usize>> = (0..count)
        .filter(|&task| waiting[task] == 0)
        .map(Reverse)
        .collect();
    let mut order = Vec::new();
    while let Some(Reverse(task)) = ready.pop() {
        order.push(task);
        for &next in &followers[task] {
            waiting[next] -= 1;
            if waiting[next] == 0 {
                ready.push(Reverse(next));
            }
        }
    }
    (order.len() == count).then_some(order)
}

//~ driver
pub fn drive(count: u8, pairs: Vec<(u8, u8)>) -> Option<Vec<usize>> {
    let count = usize::from(count % 7);
    let before: Vec<(usize, usize)> = pairs
        .iter()
        .map(|&(a, b)| (usize::from(a.min(b) % 7), usize::from(a.max(b) % 7)))
        .filter(|&(a, b)| a <= count && b <= count)
        .collect();
    topological(count, &before)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders() {
        assert_eq!(topological(3, &[(2, 0), (0, 1)]), Some(vec![2, 0, 1]));
        assert_eq!(topological(4, &[(3, 1)]), Some(vec![0, 2, 3, 1]));
        assert_eq!(topological(3, &[]), Some(vec![0, 1, 2]));
    }
    #[test]
    fn smallest_first() {
        assert_eq!(topological(4, &[(1, 0), (1, 2)]), Some(vec![1, 0, 2, 3]));
        assert_eq!(topological(3, &[(0, 2), (0, 2)]), Some(vec![0, 1, 2]));
    }
    #[test]
    fn cycles() {
        assert_eq!(topological(2, &[(0, 1), (1, 0)]), None);
        assert_eq!(topological(1, &[(0, 0)]), None);
        assert_eq!(topological(3, &[(1, 2), (2, 1)]), None);
    }
    #[test]
    fn edges() {
        assert_eq!(topological(0, &[]), Some(vec![]));
        assert_eq!(topological(2, &[(0, 2)]), None);
        assert_eq!(topological(2, &[(2, 0)]), None);
    }
}
