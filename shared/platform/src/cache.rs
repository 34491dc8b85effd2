//! Caches of an environment. All of them are one type of `moka`'s below: it is instantiated for each pair of key and value
//! otherwise, which was a sixth of the code that the crates above made the compiler generate.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The one type below.
type Entries = moka::sync::Cache<Box<dyn Key>, Kept>;

/// What is kept in memory by keys of `K`, the most used first. Made when it is first used: each takes a tenth of a megabyte,
/// and a function has fifteen of them and uses few.
pub struct Cache<K, V> {
    kept: LazyLock<Entries, Box<dyn FnOnce() -> Entries + Send + Sync>>,
    types: PhantomData<fn(K) -> V>,
}

/// How long an entry stays.
#[derive(Debug, Clone, Copy)]
pub enum Stay {
    /// Until others need its place.
    Unlimited,
    /// This long after it was kept.
    Since(Duration),
    /// This long after it was last used.
    Unused(Duration),
}

/// A value with the room that it takes.
#[derive(Clone)]
struct Kept {
    value: Arc<dyn Any + Send + Sync>,
    weight: u32,
}

/// A key of any type; only those of one type are ever equal.
trait Key: Any + Send + Sync {
    fn equals(&self, other: &dyn Key) -> bool;
    fn hash_into(&self, hasher: &mut dyn Hasher);
}

impl<K: Hash + Eq + Send + Sync + 'static> Key for K {
    fn equals(&self, other: &dyn Key) -> bool {
        (other as &dyn Any).downcast_ref::<K>() == Some(self)
    }

    fn hash_into(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }
}

impl PartialEq for dyn Key {
    fn eq(&self, other: &Self) -> bool {
        self.equals(other)
    }
}

impl Eq for dyn Key {}

impl Hash for dyn Key {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.hash_into(hasher);
    }
}

impl<K: Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static> Cache<K, V> {
    /// Room for this many entries, or for this much of their weights.
    pub fn new(room: u64, stay: Stay) -> Self {
        let make = move || build(room, stay);
        Self { kept: LazyLock::new(Box::new(make)), types: PhantomData }
    }

    /// What is kept by this key.
    pub fn get(&self, key: &K) -> Option<V> {
        self.kept.get(key as &dyn Key).and_then(|kept| kept.value.downcast_ref().cloned())
    }

    /// What is kept by this key; made and kept when there is nothing. One caller makes it while the others wait.
    pub fn get_or_make(&self, key: K, make: impl Fn() -> V) -> V {
        let kept = self.kept.get_with(Box::new(key), || Kept { value: Arc::new(make()), weight: 1 });
        // A cache holds values of its own type alone.
        kept.value.downcast_ref().cloned().unwrap_or_else(make)
    }

    /// Keeps this by this key.
    pub fn insert(&self, key: K, value: V) {
        self.insert_weighing(key, value, 1);
    }

    /// Keeps this, which takes so much of the room.
    pub fn insert_weighing(&self, key: K, value: V, weight: u32) {
        self.kept.insert(Box::new(key), Kept { value: Arc::new(value), weight });
    }

    /// Forgets what is kept by this key.
    pub fn remove(&self, key: &K) {
        self.kept.invalidate(key as &dyn Key);
    }
}

fn build(room: u64, stay: Stay) -> Entries {
    let cache = Entries::builder().max_capacity(room).weigher(|_, kept: &Kept| kept.weight);
    match stay {
        Stay::Unlimited => cache.build(),
        Stay::Since(time) => cache.time_to_live(time).build(),
        Stay::Unused(time) => cache.time_to_idle(time).build(),
    }
}

impl<K, V> fmt::Debug for Cache<K, V> {
    /// Without what is kept, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cache")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_find_their_own_values() {
        let cache: Cache<(String, u32), Arc<str>> = Cache::new(100, Stay::Unlimited);
        for n in 0..50 {
            cache.insert(("a".to_owned(), n), format!("value {n}").into());
        }
        for n in 0..50 {
            assert_eq!(cache.get(&("a".to_owned(), n)).as_deref(), Some(&*format!("value {n}")));
        }
        assert_eq!(cache.get(&("b".to_owned(), 1)), None);
        cache.remove(&("a".to_owned(), 7));
        assert_eq!(cache.get(&("a".to_owned(), 7)), None);
    }

    #[test]
    fn a_value_is_made_once() {
        let cache: Cache<&str, u32> = Cache::new(100, Stay::Unused(Duration::from_secs(60)));
        assert_eq!(cache.get_or_make("a", || 1), 1);
        assert_eq!(cache.get_or_make("a", || 2), 1);
    }

    #[test]
    fn weights_share_the_room() {
        let cache: Cache<u32, u32> = Cache::new(100, Stay::Unlimited);
        for n in 0..50 {
            cache.insert_weighing(n, n, 40);
        }
        cache.kept.run_pending_tasks();
        let left = (0..50).filter(|n| cache.get(n).is_some()).count();
        assert!((1..=2).contains(&left), "{left} entries of 40 in a room of 100");
    }

    #[test]
    fn entries_end_in_their_time() {
        let cache: Cache<u32, u32> = Cache::new(100, Stay::Since(Duration::ZERO));
        cache.insert(1, 1);
        assert_eq!(cache.get(&1), None);
    }
}
