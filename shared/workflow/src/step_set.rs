//! Steps by their place in a graph, and sets of them.

use serde::{Deserialize, Serialize};

use super::limits::STEPS_MAX;

const WORDS: usize = STEPS_MAX.div_ceil(64);

/// A step by its place in the graph's `steps`.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug, Serialize, Deserialize)]
pub struct StepIx(pub u16);

impl StepIx {
    /// The place in the plan's `steps`.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The step at a place. Graphs have at most 500 steps, so every place fits.
    pub(super) fn at(index: usize) -> Self {
        Self(u16::try_from(index).unwrap_or(u16::MAX))
    }
}

/// A set of steps of one graph: one bit each, so that all ancestors of 500 steps take 32 KB.
#[derive(Copy, Clone, Eq, PartialEq, Default, Debug)]
pub struct StepSet {
    words: [u64; WORDS],
}

impl StepSet {
    /// Whether `ix` is in the set.
    pub fn contains(&self, ix: StepIx) -> bool {
        self.words.get(ix.index() / 64).is_some_and(|word| word >> (ix.index() % 64) & 1 == 1)
    }

    /// Adds `ix`.
    pub fn insert(&mut self, ix: StepIx) {
        if let Some(word) = self.words.get_mut(ix.index() / 64) {
            *word |= 1 << (ix.index() % 64);
        }
    }

    /// Takes `ix` out.
    pub fn remove(&mut self, ix: StepIx) {
        if let Some(word) = self.words.get_mut(ix.index() / 64) {
            *word &= !(1 << (ix.index() % 64));
        }
    }

    /// Adds everything in `other`.
    pub fn extend_with(&mut self, other: &Self) {
        for (word, more) in self.words.iter_mut().zip(other.words) {
            *word |= more;
        }
    }

    /// How many steps are in the set.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The steps, in the graph's order.
    pub fn iter(&self) -> impl Iterator<Item = StepIx> + use<> {
        self.words.into_iter().enumerate().flat_map(|(place, mut word)| {
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros() as usize;
                // Clears the lowest bit that is set; there is none when the word is used up.
                word &= word.wrapping_sub(1);
                (bit < 64).then(|| StepIx::at(place * 64 + bit))
            })
        })
    }
}

impl FromIterator<StepIx> for StepSet {
    fn from_iter<I: IntoIterator<Item = StepIx>>(steps: I) -> Self {
        let mut set = Self::default();
        for ix in steps {
            set.insert(ix);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::{StepIx, StepSet};

    #[test]
    fn holds_what_was_put_in_and_lists_it_in_order() {
        let mut set: StepSet = [499, 0, 63, 64, 128, 63].map(StepIx).into_iter().collect();
        assert_eq!(set.iter().map(|ix| ix.0).collect::<Vec<_>>(), [0, 63, 64, 128, 499]);
        assert_eq!(set.len(), 5);
        assert!(set.contains(StepIx(64)) && !set.contains(StepIx(65)));
        set.remove(StepIx(64));
        assert!(!set.contains(StepIx(64)));
        set.insert(StepIx(u16::MAX));
        assert!(!set.contains(StepIx(u16::MAX)), "what no graph can have is not kept");
    }

    #[test]
    fn sets_unite() {
        let mut left: StepSet = [StepIx(1)].into_iter().collect();
        left.extend_with(&[StepIx(400)].into_iter().collect());
        assert_eq!(left.iter().collect::<Vec<_>>(), [StepIx(1), StepIx(400)]);
        assert!(!left.is_empty() && StepSet::default().is_empty());
    }
}
