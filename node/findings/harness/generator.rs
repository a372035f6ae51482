//! Seeded draws: numbers, lengths and texts such as tasks are about.

use std::rc::Rc;

/// Numbers and texts that the query or several answers name: the inputs on which answers differ are often near them.
#[derive(Default)]
pub struct Pool {
    pub numbers: Vec<i128>,
    pub texts: Vec<String>,
}

/// How far an input goes: most mistakes show on small inputs, some on boundaries only.
#[derive(Clone, Copy, PartialEq)]
enum Reach {
    Small,
    Medium,
    Boundary,
}

/// Reach of the inputs, in turn: of ten, five are small, three medium and two at boundaries.
const REACHES: [Reach; 10] = [
    Reach::Small,
    Reach::Medium,
    Reach::Small,
    Reach::Boundary,
    Reach::Small,
    Reach::Medium,
    Reach::Small,
    Reach::Medium,
    Reach::Boundary,
    Reach::Small,
];

/// The first inputs are minimal: they are the easiest to read where two answers differ.
const MINIMAL_INPUTS: usize = 4;

/// Draws of one input that later draws of it may repeat: `f(x, x)` and "is x in the list" need equal values.
const RECALLED_NUMBERS_MAX: usize = 64;
const RECALLED_TEXTS_MAX: usize = 32;

const OPENING: &str = "([{<";

/// A 64-bit finaliser (splitmix64): each bit of the input changes about half of the output's bits.
pub fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The source of one input: the same seed, index and pool give the same input everywhere.
pub struct G {
    state: u64,
    /// The call is to return the text of its arguments instead of its outcome.
    pub show: bool,
    reach: Reach,
    index: usize,
    depth: u32,
    pool: Rc<Pool>,
    alphabet: Vec<char>,
    recalled_numbers: Vec<i128>,
    recalled_texts: Vec<String>,
}

impl G {
    pub fn new(seed: u64, index: usize, pool: &Rc<Pool>) -> G {
        let reach = if index < MINIMAL_INPUTS { Reach::Small } else { REACHES[index % REACHES.len()] };
        let mut alphabet: Vec<char> = pool.texts.iter().flat_map(|text| text.chars()).collect();
        alphabet.sort();
        alphabet.dedup();
        G {
            state: mix(seed ^ mix(index as u64)),
            show: false,
            reach,
            index,
            depth: 0,
            pool: pool.clone(),
            alphabet,
            recalled_numbers: vec![],
            recalled_texts: vec![],
        }
    }

    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }

    /// A number below `end`, or 0 where `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 {
            0
        } else {
            self.next() % end
        }
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn position(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    fn range(&mut self, low: i128, high: i128) -> i128 {
        low + (self.next() as i128 % (high - low + 1))
    }

    /// Runs `draw` one level deeper: lists in lists are shorter.
    pub(crate) fn nested<T>(&mut self, draw: impl FnOnce(&mut G) -> T) -> T {
        self.depth += 1;
        let drawn = draw(self);
        self.depth -= 1;
        drawn
    }

    /// A whole number of a type with these bounds.
    pub fn int(&mut self, low: i128, high: i128) -> i128 {
        // A narrow type refuses most of the pool's numbers: after some attempts any number in its bounds does.
        for _ in 0..20 {
            let value = self.wanted_number(low, high);
            if value >= low && value <= high {
                if self.recalled_numbers.len() < RECALLED_NUMBERS_MAX {
                    self.recalled_numbers.push(value);
                }
                return value;
            }
        }
        low.max(0)
    }

    fn wanted_number(&mut self, low: i128, high: i128) -> i128 {
        if self.chance(25) && !self.recalled_numbers.is_empty() {
            let i = self.position(self.recalled_numbers.len());
            return self.recalled_numbers[i] + self.near();
        }
        if self.chance(25) && !self.pool.numbers.is_empty() {
            let i = self.position(self.pool.numbers.len());
            return self.pool.numbers[i] + self.near();
        }
        match self.reach {
            Reach::Small if self.index < MINIMAL_INPUTS => self.range(0, 3),
            Reach::Small => match self.below(10) {
                0..=6 => self.range(0, 12),
                _ => self.range(-8, 30),
            },
            Reach::Medium => match self.below(10) {
                0..=4 => self.range(-100, 100),
                5..=6 => self.range(0, 1000),
                7 => self.range(-1000, 1000),
                8 => self.range(0, 25),
                _ => self.range(-100_000, 100_000),
            },
            Reach::Boundary => self.boundary_number(low, high),
        }
    }

    /// Off by one, or not at all: comparisons with a wrong operator differ there.
    fn near(&mut self) -> i128 {
        if self.chance(25) {
            self.range(-1, 1)
        } else {
            0
        }
    }

    fn boundary_number(&mut self, low: i128, high: i128) -> i128 {
        match self.below(10) {
            0 => low,
            1 => high,
            2 => low + 1,
            3 => high - 1,
            4 => 0,
            5 => -1,
            6 => {
                let shift = self.below(64) as u32;
                (1i128 << shift) - self.below(2) as i128
            }
            7 => {
                let drawn = self.next() as i128;
                low + drawn % high.wrapping_sub(low).wrapping_add(1).max(1)
            }
            _ => self.range(-1000, 1000),
        }
    }

    /// The length of a list, a set or a map.
    pub fn len(&mut self) -> usize {
        if self.index == 0 || (self.reach == Reach::Boundary && self.chance(30)) {
            return self.position(2);
        }
        if self.reach == Reach::Boundary && self.depth == 0 && self.chance(10) {
            return 40;
        }
        let outer = self.depth <= 1;
        let most = match self.reach {
            Reach::Small => [3, 5][outer as usize],
            Reach::Medium => [5, 10][outer as usize],
            Reach::Boundary => [4, 14][outer as usize],
        };
        self.position(most + 1)
    }

    pub fn chr(&mut self) -> char {
        if self.chance(40) && !self.alphabet.is_empty() {
            return self.pool_char();
        }
        let kinds = if self.reach == Reach::Boundary { 8 } else { 6 };
        let set = match self.below(kinds) {
            0 | 1 => "abc",
            2 => "abcdefghijklmnopqrstuvwxyz",
            3 => "ABCxyzAEIOUaeiou",
            4 => "0123456789",
            5 => " ab.,-_!",
            6 => "éßÅ日本🦀İ\u{301}",
            _ => "\t\n\"\\()[]{}<>+*/%",
        };
        let i = self.position(set.chars().count());
        set.chars().nth(i).unwrap_or('a')
    }

    fn pool_char(&mut self) -> char {
        let i = self.position(self.alphabet.len());
        self.alphabet[i]
    }

    fn pool_text(&mut self) -> String {
        let i = self.position(self.pool.texts.len());
        self.pool.texts[i].clone()
    }

    pub fn string(&mut self) -> String {
        let text = self.wanted_text();
        if self.recalled_texts.len() < RECALLED_TEXTS_MAX {
            self.recalled_texts.push(text.clone());
        }
        text
    }

    fn wanted_text(&mut self) -> String {
        let has_texts = !self.pool.texts.is_empty();
        let has_recalled = !self.recalled_texts.is_empty();
        match self.below(100) {
            0..=4 => String::new(),
            5..=24 if has_texts => {
                let text = self.pool_text();
                self.perhaps_changed(text, 30)
            }
            25..=36 if self.pool.texts.len() > 1 => self.joined(|g| g.pool_text()),
            37..=43 if self.alphabet.iter().any(|&c| OPENING.contains(c)) => self.brackets(),
            44 if has_recalled => {
                let i = self.position(self.recalled_texts.len());
                let text = self.recalled_texts[i].clone();
                self.perhaps_changed(text, 50)
            }
            45..=51 if has_recalled && self.chance(50) => self.part_of_recalled(),
            52..=55 => self.written_number(),
            56..=63 => self.joined(|g| g.word()),
            64..=71 if !self.alphabet.is_empty() => {
                let len = self.below(8);
                (0..len).map(|_| self.pool_char()).collect()
            }
            72..=77 => self.palindrome(),
            _ => {
                let longest = match self.reach {
                    Reach::Small => 6,
                    Reach::Medium => 14,
                    Reach::Boundary => 30,
                };
                let len = self.below(longest);
                (0..len).map(|_| self.chr()).collect()
            }
        }
    }

    fn perhaps_changed(&mut self, text: String, percent: u64) -> String {
        if self.chance(percent) {
            self.changed(text)
        } else {
            text
        }
    }

    fn joined(&mut self, draw: impl Fn(&mut G) -> String) -> String {
        let words = 1 + self.below(4);
        let drawn: Vec<String> = (0..words).map(|_| draw(self)).collect();
        drawn.join(" ")
    }

    fn word(&mut self) -> String {
        let len = 1 + self.below(5);
        (0..len).map(|_| (b'a' + self.below(26) as u8) as char).collect()
    }

    fn written_number(&mut self) -> String {
        let number = if self.reach == Reach::Boundary {
            self.int(i64::MIN as i128, i64::MAX as i128)
        } else {
            self.range(-20, 150)
        };
        number.to_string()
    }

    fn palindrome(&mut self) -> String {
        let len = self.below(4);
        let half: String = (0..len).map(|_| self.chr()).collect();
        let mirrored: String = half.chars().rev().collect();
        if self.chance(50) {
            return half + &mirrored;
        }
        let middle = self.chr();
        format!("{half}{middle}{mirrored}")
    }

    /// Part of a text drawn before: what is searched for must sometimes be found.
    fn part_of_recalled(&mut self) -> String {
        let i = self.position(self.recalled_texts.len());
        let chars: Vec<char> = self.recalled_texts[i].chars().collect();
        let (a, b) = (self.position(chars.len() + 1), self.position(chars.len() + 1));
        match self.below(3) {
            0 => chars[..a].iter().collect(),
            1 => chars[a..].iter().collect(),
            _ => chars[a.min(b)..a.max(b)].iter().collect(),
        }
    }

    /// Balanced brackets of the kinds that the task names, now and then with a mistake.
    fn brackets(&mut self) -> String {
        let kinds: Vec<char> = self.alphabet.iter().copied().filter(|&c| OPENING.contains(c)).collect();
        let mut left = 1 + self.below(5);
        let mut open = vec![];
        let mut text = String::new();
        while left > 0 || !open.is_empty() {
            if left > 0 && (open.is_empty() || self.chance(55)) {
                let i = self.position(kinds.len());
                text.push(kinds[i]);
                open.push(match kinds[i] {
                    '(' => ')',
                    '[' => ']',
                    '{' => '}',
                    _ => '>',
                });
                left -= 1;
            } else {
                text.extend(open.pop());
                if open.is_empty() && self.chance(30) {
                    text.push(' ');
                }
            }
        }
        self.perhaps_changed(text, 30)
    }

    /// The text with one small change.
    fn changed(&mut self, text: String) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        let drawn = self.chr();
        match self.below(7) {
            0 if !chars.is_empty() => {
                let i = self.position(chars.len());
                chars[i] = drawn;
            }
            1 if !chars.is_empty() => {
                let i = self.position(chars.len());
                chars.remove(i);
            }
            2 => {
                let i = self.position(chars.len() + 1);
                chars.insert(i, drawn);
            }
            3 if !chars.is_empty() => {
                let i = self.position(chars.len());
                let upper = chars[i].to_ascii_uppercase();
                chars[i] = if chars[i] == upper { chars[i].to_ascii_lowercase() } else { upper };
            }
            4 => return if self.chance(50) { text.to_uppercase() } else { text.to_lowercase() },
            5 => return if self.chance(50) { format!(" {text}") } else { format!("{text} ") },
            _ => chars.reverse(),
        }
        chars.into_iter().collect()
    }

    pub fn float(&mut self) -> f64 {
        if self.reach == Reach::Boundary && self.chance(25) {
            let special =
                [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e30, -1e30, 1e-9, f64::MAX, 0.1 + 0.2];
            return special[self.position(special.len())];
        }
        let whole = self.int(-(1 << 40), 1 << 40) as f64;
        match self.below(4) {
            0 => whole,
            1 => whole + 0.5,
            2 => whole + self.below(100) as f64 / 100.0,
            _ => whole / 10.0,
        }
    }
}
