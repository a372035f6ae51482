//! domain = "types"
//! difficulty = 3
//! [names]
//! RecentCache = ["LruCache", "SmallCache"]
//! ---
//! Implement a small cache in Rust, `RecentCache`, for keys of type `u32` and values of type `String`:
//!
//! - `new(capacity: usize) -> Self`
//! - `put(&mut self, key: u32, value: &str)` stores a value. If the cache is over its capacity then, the entry whose last use
//!   lies furthest back is removed. Storing is a use.
//! - `get(&mut self, key: u32) -> Option<String>` returns the value and is a use.
//! - `len(&self) -> usize`
//!
//! With capacity 0 nothing is ever stored.

use std::collections::VecDeque;

#[derive(Debug)]
pub struct RecentCache {
    capacity: usize,
    entries: VecDeque<(u32, String)>,
}

impl RecentCache {
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: VecDeque::new(),
        }
    }

    pub fn put(&mut self, key: u32, value: &str) {
        self.entries.retain(|(known, _)| *known != key);
        self.entries.push_back((key, value.to_string()));
        if self.entries.len() > self.capacity {
            self.entries.pop_front();
        }
    }

    pub fn get(&mut self, key: u32) -> Option<String> {
        let place = self.entries.iter().position(|(known, _)| *known == key)?;
        let entry = self.entries.remove(place)?;
        let value = entry.1.clone();
        self.entries.push_back(entry);
        Some(value)
    }

    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

//~ driver
pub fn drive(capacity: u8, steps: &[u8]) -> Vec<String> {
    let mut cache = RecentCache::new(usize::from(capacity % 4));
    let mut seen = Vec::new();
    for (number, &step) in steps.iter().enumerate() {
        let key = u32::from(step / 2 % 5);
        if step % 2 == 0 {
            cache.put(key, &number.to_string());
        } else {
            seen.push(cache.get(key).unwrap_or_default());
        }
        seen.push(cache.len().to_string());
    }
    seen
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn cache(capacity: usize, keys: &[u32]) -> RecentCache {
        let mut cache = RecentCache::new(capacity);
        for &key in keys {
            cache.put(key, &format!("v{key}"));
        }
        cache
    }
    #[test]
    fn stores() {
        let mut cache = cache(2, &[1, 2]);
        assert_eq!(cache.get(1).as_deref(), Some("v1"));
        assert_eq!(cache.get(2).as_deref(), Some("v2"));
        assert_eq!(cache.get(3), None);
        assert_eq!(cache.len(), 2);
    }
    #[test]
    fn oldest_goes() {
        let mut cache = cache(2, &[1, 2, 3]);
        assert_eq!(cache.get(1), None);
        assert_eq!(cache.get(3).as_deref(), Some("v3"));
        assert_eq!(cache.len(), 2);
    }
    #[test]
    fn reading_is_a_use() {
        let mut cache = cache(2, &[1, 2]);
        assert!(cache.get(1).is_some());
        cache.put(3, "x");
        assert_eq!(cache.get(2), None);
        assert_eq!(cache.get(1).as_deref(), Some("v1"));
    }
    #[test]
    fn replaced() {
        let mut cache = cache(2, &[1, 2]);
        cache.put(1, "new");
        assert_eq!(cache.len(), 2);
        cache.put(3, "x");
        assert_eq!(cache.get(1).as_deref(), Some("new"));
        assert_eq!(cache.get(2), None);
    }
    #[test]
    fn capacity_zero() {
        let mut cache = cache(0, &[1]);
        assert_eq!(cache.get(1), None);
        assert_eq!(cache.len(), 0);
    }
}
