//! domain = "ownership"
//! difficulty = 2
//! [names]
//! Tree = ["SearchTree", "Branch"]
//! ---
//! I want a binary search tree in Rust: a struct `Tree` with `new() -> Self`, `insert(&mut self, value: i32) -> bool` (false
//! and no change if the value is there already), `contains(&self, value: i32) -> bool`, `height(&self) -> usize` (0 if empty,
//! 1 for a single value) and `sorted(&self) -> Vec<i32>`. Do not balance it.

#[derive(Debug, Default)]
pub struct Tree {
    root: Option<Box<Node>>,
}

#[derive(Debug)]
struct Node {
    value: i32,
    left: Tree,
    right: Tree,
}

impl Tree {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn insert(&mut self, value: i32) -> bool {
        match &mut self.root {
            None => {
                self.root = Some(Box::new(Node {
                    value,
                    left: Tree::new(),
                    right: Tree::new(),
                }));
                true
            }
            Some(node) if value < node.value => node.left.insert(value),
            Some(node) if value > node.value => node.right.insert(value),
            Some(_) => false,
        }
    }

    pub fn contains(&self, value: i32) -> bool {
        match &self.root {
            None => false,
            Some(node) if value < node.value => node.left.contains(value),
            Some(node) if value > node.value => node.right.contains(value),
            Some(_) => true,
        }
    }

    pub fn height(&self) -> usize {
        self.root
            .as_ref()
            .map_or(0, |node| 1 + node.left.height().max(node.right.height()))
    }

    pub fn sorted(&self) -> Vec<i32> {
        let mut values = Vec::new();
        if let Some(node) = &self.root {
            values.extend(node.left.sorted());
            values.push(node.value);
            values.extend(node.right.sorted());
        }
        values
    }
}

//~ driver
pub fn drive(values: &[i32], wanted: i32) -> (Vec<bool>, Vec<i32>, usize, bool) {
    let mut tree = Tree::new();
    let added = values.iter().map(|&value| tree.insert(value)).collect();
    (added, tree.sorted(), tree.height(), tree.contains(wanted))
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn tree(values: &[i32]) -> Tree {
        let mut tree = Tree::new();
        for &value in values {
            tree.insert(value);
        }
        tree
    }
    #[test]
    fn insertion() {
        let mut tree = Tree::new();
        assert!(tree.insert(5));
        assert!(tree.insert(3));
        assert!(!tree.insert(5));
        assert!(tree.insert(8));
        assert!(!tree.insert(3));
    }
    #[test]
    fn membership() {
        let tree = tree(&[5, 3, 8, 7]);
        assert!(tree.contains(7));
        assert!(tree.contains(5));
        assert!(tree.contains(3));
        assert!(!tree.contains(4));
        assert!(!Tree::new().contains(0));
    }
    #[test]
    fn heights() {
        assert_eq!(tree(&[]).height(), 0);
        assert_eq!(tree(&[1]).height(), 1);
        assert_eq!(tree(&[1, 2, 3]).height(), 3);
        assert_eq!(tree(&[2, 1, 3]).height(), 2);
        assert_eq!(tree(&[3, 2, 1]).height(), 3);
    }
    #[test]
    fn order() {
        assert_eq!(tree(&[4, 2, 9, 2, -1]).sorted(), [-1, 2, 4, 9]);
        assert!(tree(&[]).sorted().is_empty());
    }
}
