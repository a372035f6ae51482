//! domain = "algorithms"
//! difficulty = 3
//! [names]
//! spiral = ["spiral_order", "unroll"]
//! ---
//! Write a Rust function `{signature}` that reads a rectangular matrix in a spiral: along the first row to the right, down the
//! last column, back along the last row, up the first column, and so on inwards. All rows have the same length.

pub fn spiral(rows: &[Vec<i32>]) -> Vec<i32> {
    let mut out = Vec::new();
    let (mut top, mut left) = (0, 0);
    let mut bottom = rows.len();
    let mut right = rows.first().map_or(0, Vec::len);
    while top < bottom && left < right {
        out.extend(&rows[top][left..right]);
        top += 1;
        for row in &rows[top..bottom] {
            out.push(row[right - 1]);
        }
        right -= 1;
        if top < bottom {
            bottom -= 1;
            out.extend(rows[bottom][left..right].iter().rev());
        }
        if left < right {
            for row in rows[top..bottom].iter().rev() {
                out.push(row[left]);
            }
            left += 1;
        }
    }
    out
}

//~ driver
pub fn drive(width: u8, values: Vec<i32>) -> Vec<i32> {
    let rows: Vec<Vec<i32>> = values
        .chunks_exact(usize::from(width % 5) + 1)
        .map(<[i32]>::to_vec)
        .collect();
    spiral(&rows)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(height: i32, width: i32) -> Vec<Vec<i32>> {
        (0..height)
            .map(|row| (0..width).map(|column| row * width + column).collect())
            .collect()
    }
    #[test]
    fn squares() {
        assert_eq!(spiral(&matrix(3, 3)), [0, 1, 2, 5, 8, 7, 6, 3, 4]);
        assert_eq!(spiral(&matrix(2, 2)), [0, 1, 3, 2]);
    }
    #[test]
    fn rectangles() {
        assert_eq!(spiral(&matrix(2, 3)), [0, 1, 2, 5, 4, 3]);
        assert_eq!(spiral(&matrix(3, 2)), [0, 1, 3, 5, 4, 2]);
        assert_eq!(
            spiral(&matrix(3, 4)),
            [0, 1, 2, 3, 7, 11, 10, 9, 8, 4, 5, 6]
        );
    }
    #[test]
    fn lines() {
        assert_eq!(spiral(&matrix(1, 4)), [0, 1, 2, 3]);
        assert_eq!(spiral(&matrix(4, 1)), [0, 1, 2, 3]);
        assert_eq!(spiral(&matrix(1, 1)), [0]);
    }
    #[test]
    fn empty() {
        assert_eq!(spiral(&[]), []);
        assert_eq!(spiral(&[vec![], vec![]]), []);
        assert_eq!(spiral(&matrix(4, 4)).len(), 16);
    }
}
