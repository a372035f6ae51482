//! domain = "ownership"
//! difficulty = 2
//! [names]
//! reverse_list = ["flip_list", "turn_list_round"]
//! Link = ["Cell", "Element"]
//! ---
//! Given is this singly linked list in Rust; write it down again and implement `reverse_list` for it, without copying any
//! value:
//!
//! ```rust
//! #[derive(Debug)]
//! pub struct Link {
//!     pub value: String,
//!     pub next: Option<Box<Link>>,
//! }
//!
//! pub fn reverse_list(head: Option<Box<Link>>) -> Option<Box<Link>>
//! ```

#[derive(Debug)]
pub struct Link {
    pub value: String,
    pub next: Option<Box<Link>>,
}

pub fn reverse_list(head: Option<Box<Link>>) -> Option<Box<Link>> {
    let mut rest = head;
    let mut reversed = None;
    while let Some(mut link) = rest {
        rest = link.next.take();
        link.next = reversed;
        reversed = Some(link);
    }
    reversed
}

//~ driver
pub fn drive(values: Vec<String>) -> Vec<String> {
    let mut head = None;
    for value in values.into_iter().rev() {
        head = Some(Box::new(Link { value, next: head }));
    }
    let mut seen = Vec::new();
    let mut rest = reverse_list(head);
    while let Some(link) = rest {
        seen.push(link.value);
        rest = link.next;
    }
    seen
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn list(values: &[&str]) -> Option<Box<Link>> {
        values.iter().rev().fold(None, |next, value| {
            Some(Box::new(Link {
                value: value.to_string(),
                next,
            }))
        })
    }
    fn values(mut head: Option<Box<Link>>) -> Vec<String> {
        let mut seen = Vec::new();
        while let Some(link) = head {
            seen.push(link.value);
            head = link.next;
        }
        seen
    }
    #[test]
    fn several() {
        assert_eq!(
            values(reverse_list(list(&["a", "b", "c"]))),
            ["c", "b", "a"]
        );
        assert_eq!(values(reverse_list(list(&["x", "y"]))), ["y", "x"]);
    }
    #[test]
    fn few() {
        assert!(reverse_list(None).is_none());
        assert_eq!(values(reverse_list(list(&["one"]))), ["one"]);
    }
    #[test]
    fn twice() {
        assert_eq!(
            values(reverse_list(reverse_list(list(&["1", "2", "3"])))),
            ["1", "2", "3"]
        );
        let all: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let texts: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(values(reverse_list(list(&texts)))[0], "99");
        assert_eq!(values(reverse_list(list(&texts))).len(), 100);
    }
}
