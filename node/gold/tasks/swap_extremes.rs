//! domain = "ownership"
//! difficulty = 2
//! [names]
//! swap_extremes = ["exchange_ends", "swap_min_max"]
//! ---
//! Write `{signature}` in Rust. It swaps, in place, the first occurrence of the smallest value with the first occurrence of
//! the largest one, and returns their two indices as they were before (smallest, largest). An empty slice gives `None`.

pub fn swap_extremes(values: &mut [i32]) -> Option<(usize, usize)> {
    let (mut smallest, mut largest) = (0, 0);
    if values.is_empty() {
        return None;
    }
    for place in 1..values.len() {
        if values[place] < values[smallest] {
            smallest = place;
        }
        if values[place] > values[largest] {
            largest = place;
        }
    }
    values.swap(smallest, largest);
    Some((smallest, largest))
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn swapped(values: &[i32]) -> (Vec<i32>, Option<(usize, usize)>) {
        let mut own = values.to_vec();
        let places = swap_extremes(&mut own);
        (own, places)
    }
    #[test]
    fn swaps() {
        assert_eq!(swapped(&[3, 1, 9, 4]), (vec![3, 9, 1, 4], Some((1, 2))));
        assert_eq!(swapped(&[9, 5, 1]), (vec![1, 5, 9], Some((2, 0))));
    }
    #[test]
    fn first_of_equals() {
        assert_eq!(
            swapped(&[2, 1, 1, 5, 5]),
            (vec![2, 5, 1, 1, 5], Some((1, 3)))
        );
        assert_eq!(swapped(&[4, 4]), (vec![4, 4], Some((0, 0))));
    }
    #[test]
    fn few() {
        assert_eq!(swapped(&[]), (vec![], None));
        assert_eq!(swapped(&[7]), (vec![7], Some((0, 0))));
        assert_eq!(swapped(&[1, 2]), (vec![2, 1], Some((0, 1))));
    }
}
