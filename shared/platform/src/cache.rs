//! Caches of an environment, made when they are first used: each takes a tenth of a megabyte, and a function has
//! fifteen of them and uses few.

use std::sync::LazyLock;

use moka::sync::Cache;

/// What is kept in memory by this key.
pub type LazyCache<K, V> = LazyLock<Cache<K, V>>;
