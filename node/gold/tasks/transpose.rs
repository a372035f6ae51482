//! domain = "collections"
//! difficulty = 2
//! [names]
//! transpose = ["flip_matrix", "swap_axes"]
//! ---
//! Implement `{signature}` in Rust. It transposes a matrix given by rows. If the rows do not all have the same length, the
//! result is `None`. A matrix without rows, or with empty rows only, becomes a matrix without rows.

pub fn transpose(rows: &[Vec<i32>]) -> Option<Vec<Vec<i32>>> {
    let width = rows.first().map_or(0, Vec::len);
    if rows.iter().any(|row| row.len() != width) {
        return None;
    }
    Some(
        (0..width)
            .map(|column| rows.iter().map(|row| row[column]).collect())
            .collect(),
    )
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles() {
        assert_eq!(
            transpose(&[vec![1, 2, 3], vec![4, 5, 6]]),
            Some(vec![vec![1, 4], vec![2, 5], vec![3, 6]])
        );
        assert_eq!(transpose(&[vec![1], vec![2]]), Some(vec![vec![1, 2]]));
    }
    #[test]
    fn ragged() {
        assert_eq!(transpose(&[vec![1, 2], vec![3]]), None);
        assert_eq!(transpose(&[vec![], vec![3]]), None);
        assert_eq!(transpose(&[vec![1], vec![2, 3]]), None);
    }
    #[test]
    fn empty() {
        assert_eq!(transpose(&[]), Some(vec![]));
        assert_eq!(transpose(&[vec![], vec![]]), Some(vec![]));
    }
    #[test]
    fn single() {
        assert_eq!(transpose(&[vec![7]]), Some(vec![vec![7]]));
        assert_eq!(transpose(&[vec![1, 2]]), Some(vec![vec![1], vec![2]]));
    }
}
