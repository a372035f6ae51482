//! Inputs by type: a value of any type that a signature may name.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::ffi::OsString;
use std::hash::Hash;
use std::num::Wrapping;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Barrier, Condvar, Mutex, OnceLock, RwLock};
use std::time::Duration;

use crate::generator::{mix, Pool, G};

/// A type whose values can be drawn.
pub trait Arb: Sized {
    fn arb(g: &mut G) -> Self;

    /// Brings a list into an order that tasks ask for: sorted (0), sorted without repetitions (1), falling (2); else as
    /// drawn. A type without an order leaves it.
    fn arrange(_list: &mut Vec<Self>, _how: u64) {}
}

/// A value of the type that the place needs.
pub fn arb<T: Arb>(g: &mut G) -> T {
    T::arb(g)
}

/// The value of a closure that was handed in, at these arguments: always the same for the same text of arguments.
pub fn fun<R: Arb>(seed: u64, arguments: &str) -> R {
    let seed = arguments.bytes().fold(seed, |state, byte| mix(state ^ byte as u64));
    // Any index of small reach that is not minimal.
    R::arb(&mut G::new(seed, 4, &Rc::new(Pool::default())))
}

/// Values that live as long as the child: it handles one input and ends.
fn leak<T: ?Sized>(value: Box<T>) -> &'static mut T {
    Box::leak(value)
}

fn arrange_by<T>(list: &mut [T], how: u64, order: impl Fn(&T, &T) -> Ordering) {
    match how {
        0 | 1 => list.sort_by(order),
        2 => list.sort_by(|a, b| order(b, a)),
        _ => {}
    }
}

macro_rules! integers {
    ($($type:ty),*) => { $(
        impl Arb for $type {
            fn arb(g: &mut G) -> Self {
                g.int(<$type>::MIN as i128, <$type>::MAX as i128) as $type
            }
            fn arrange(list: &mut Vec<Self>, how: u64) {
                arrange_by(list, how, Ord::cmp);
                if how == 1 {
                    list.dedup();
                }
            }
        }
    )* };
}
integers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

impl Arb for i128 {
    fn arb(g: &mut G) -> Self {
        g.int(i64::MIN as i128 * 1000, i64::MAX as i128 * 1000)
    }
}

impl Arb for u128 {
    fn arb(g: &mut G) -> Self {
        g.int(0, i64::MAX as i128 * 1000) as u128
    }
}

impl Arb for bool {
    fn arb(g: &mut G) -> Self {
        g.chance(50)
    }
}

impl Arb for char {
    fn arb(g: &mut G) -> Self {
        g.chr()
    }
    fn arrange(list: &mut Vec<Self>, how: u64) {
        arrange_by(list, how, Ord::cmp);
    }
}

impl Arb for () {
    fn arb(_: &mut G) -> Self {}
}

macro_rules! floats {
    ($($type:ty),*) => { $(
        impl Arb for $type {
            fn arb(g: &mut G) -> Self {
                g.float() as $type
            }
            fn arrange(list: &mut Vec<Self>, how: u64) {
                arrange_by(list, how, |a, b| a.total_cmp(b));
            }
        }
    )* };
}
floats!(f32, f64);

macro_rules! texts {
    ($($type:ty: $from:expr),* $(,)?) => { $(
        impl Arb for $type {
            fn arb(g: &mut G) -> Self {
                let from: fn(String) -> $type = $from;
                from(g.string())
            }
            fn arrange(list: &mut Vec<Self>, how: u64) {
                arrange_by(list, how, Ord::cmp);
            }
        }
    )* };
}
texts! {
    String: |text| text,
    Box<str>: |text| text.into_boxed_str(),
    Rc<str>: |text| text.into(),
    Arc<str>: |text| text.into(),
    &'static str: |text| leak(text.into_boxed_str()),
    &'static mut str: |text| leak(text.into_boxed_str()),
    Cow<'static, str>: Cow::Owned,
    PathBuf: PathBuf::from,
    &'static Path: |text| leak(PathBuf::from(text).into_boxed_path()),
    OsString: OsString::from,
}

impl Arb for Duration {
    fn arb(g: &mut G) -> Self {
        Duration::from_millis(g.int(0, u32::MAX as i128) as u64)
    }
}

impl Arb for Ordering {
    fn arb(g: &mut G) -> Self {
        [Ordering::Less, Ordering::Equal, Ordering::Greater][g.below(3) as usize]
    }
}

impl<T: Arb + 'static> Arb for &'static T {
    fn arb(g: &mut G) -> Self {
        leak(Box::new(T::arb(g)))
    }
}

impl<T: Arb + 'static> Arb for &'static mut T {
    fn arb(g: &mut G) -> Self {
        leak(Box::new(T::arb(g)))
    }
}

impl<T: Arb + 'static> Arb for &'static [T] {
    fn arb(g: &mut G) -> Self {
        leak(Box::arb(g))
    }
}

impl<T: Arb + 'static> Arb for &'static mut [T] {
    fn arb(g: &mut G) -> Self {
        leak(Box::arb(g))
    }
}

impl<T: Arb> Arb for Box<[T]> {
    fn arb(g: &mut G) -> Self {
        Vec::arb(g).into_boxed_slice()
    }
}

impl<T: Arb> Arb for Vec<T> {
    fn arb(g: &mut G) -> Self {
        let len = g.len();
        let mut list: Vec<T> = g.nested(|g| (0..len).map(|_| T::arb(g)).collect());
        let how = g.below(8);
        T::arrange(&mut list, how);
        list
    }
}

macro_rules! collections {
    ($($type:ident: $($bound:ident)*),*) => { $(
        impl<T: Arb $(+ $bound)*> Arb for $type<T> {
            fn arb(g: &mut G) -> Self {
                Vec::arb(g).into_iter().collect()
            }
        }
    )* };
}
collections!(VecDeque:, LinkedList:, BinaryHeap: Ord, BTreeSet: Ord, HashSet: Eq Hash);

macro_rules! maps {
    ($($type:ident: $($bound:ident)*),*) => { $(
        impl<K: Arb $(+ $bound)*, V: Arb> Arb for $type<K, V> {
            fn arb(g: &mut G) -> Self {
                let len = g.len();
                g.nested(|g| (0..len).map(|_| (K::arb(g), V::arb(g))).collect())
            }
        }
    )* };
}
maps!(BTreeMap: Ord, HashMap: Eq Hash);

impl<T: Arb, const N: usize> Arb for [T; N] {
    fn arb(g: &mut G) -> Self {
        std::array::from_fn(|_| T::arb(g))
    }
}

impl<T: Arb> Arb for Option<T> {
    fn arb(g: &mut G) -> Self {
        (!g.chance(25)).then(|| T::arb(g))
    }
}

impl<T: Arb, E: Arb> Arb for Result<T, E> {
    fn arb(g: &mut G) -> Self {
        if g.chance(35) {
            Err(E::arb(g))
        } else {
            Ok(T::arb(g))
        }
    }
}

macro_rules! wrappers {
    ($($type:ident),*) => { $(
        impl<T: Arb> Arb for $type<T> {
            fn arb(g: &mut G) -> Self {
                $type::new(T::arb(g))
            }
        }
    )* };
}
wrappers!(Box, Rc, Arc, Mutex, RwLock, RefCell, Cell);

impl<T: Arb> Arb for Wrapping<T> {
    fn arb(g: &mut G) -> Self {
        Wrapping(T::arb(g))
    }
}

impl<T: Arb> Arb for Reverse<T> {
    fn arb(g: &mut G) -> Self {
        Reverse(T::arb(g))
    }
}

impl<T: Arb> Arb for OnceLock<T> {
    fn arb(g: &mut G) -> Self {
        if g.chance(50) {
            OnceLock::from(T::arb(g))
        } else {
            OnceLock::new()
        }
    }
}

macro_rules! atomics {
    ($($type:ident),*) => { $(
        impl Arb for $type {
            fn arb(g: &mut G) -> Self {
                $type::new(Arb::arb(g))
            }
        }
    )* };
}
atomics!(AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64, AtomicUsize);

impl Arb for Condvar {
    fn arb(_: &mut G) -> Self {
        Condvar::new()
    }
}

impl Arb for Barrier {
    fn arb(_: &mut G) -> Self {
        Barrier::new(1)
    }
}

macro_rules! tuples {
    ($($($name:ident)*;)*) => { $(
        impl<$($name: Arb),*> Arb for ($($name,)*) {
            fn arb(g: &mut G) -> Self {
                ($($name::arb(g),)*)
            }
        }
    )* };
}
tuples! { A; A B; A B C; A B C D; A B C D E; A B C D E F; }
