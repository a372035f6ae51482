//! domain = "algorithms"
//! difficulty = 2
//! [names]
//! island_count = ["count_islands", "land_areas"]
//! ---
//! Count islands: `{signature}` in Rust. In the lines of the map `#` is land and every other character is water. Land that
//! touches horizontally or vertically belongs to one island. Lines may differ in length; what is missing is water.

pub fn island_count(map: &[&str]) -> usize {
    let mut land: Vec<Vec<bool>> = map
        .iter()
        .map(|line| line.chars().map(|sign| sign == '#').collect())
        .collect();
    let mut islands = 0;
    for row in 0..land.len() {
        for column in 0..land[row].len() {
            if !land[row][column] {
                continue;
            }
            islands += 1;
            let mut open = vec![(row, column)];
            while let Some((y, x)) = open.pop() {
                if y >= land.len() || x >= land[y].len() || !land[y][x] {
                    continue;
                }
                land[y][x] = false;
                open.push((y + 1, x));
                open.push((y, x + 1));
                open.push((y.wrapping_sub(1), x));
                open.push((y, x.wrapping_sub(1)));
            }
        }
    }
    islands
}

//~ driver
pub fn drive(width: u8, cells: Vec<bool>) -> usize {
    let signs: Vec<u8> = cells
        .iter()
        .map(|&land| if land { b'#' } else { b'.' })
        .collect();
    let lines: Vec<String> = signs
        .chunks(usize::from(width % 5) + 1)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    let borrowed: Vec<&str> = lines.iter().map(String::as_str).collect();
    island_count(&borrowed)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separate() {
        assert_eq!(island_count(&["#.#", "...", "#.#"]), 4);
        assert_eq!(island_count(&["#.", ".#"]), 2);
    }
    #[test]
    fn joined() {
        assert_eq!(island_count(&["##", ".#"]), 1);
        assert_eq!(island_count(&["###", "#.#", "###"]), 1);
        assert_eq!(island_count(&["#.#", "###"]), 1);
        assert_eq!(island_count(&["..#", "###", "#.."]), 1);
    }
    #[test]
    fn none() {
        assert_eq!(island_count(&[]), 0);
        assert_eq!(island_count(&["...", ""]), 0);
    }
    #[test]
    fn ragged() {
        assert_eq!(island_count(&["#", "##", "", "#"]), 2);
        assert_eq!(island_count(&["#####", "#"]), 1);
        assert_eq!(island_count(&["ä#", "#ä"]), 2);
    }
}
