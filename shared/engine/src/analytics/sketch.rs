//! Durations as a DDSketch: counts by bins whose width grows with the value, so that sketches are merged by adding
//! counts. The bins stand in the store as numbers of their own, to which concurrent writers add; the library says
//! which bin a value belongs to and what a quantile is.

use std::time::Duration;

use sketches_ddsketch::{Config, DDSketch};

/// A quantile differs from the exact one by at most this part of it.
const ACCURACY: f64 = 0.02;
/// More bins than there are between a millisecond and a hundred years.
const MOST_BINS: u32 = 2048;
/// Durations are whole milliseconds: what is below one is none.
const LEAST: f64 = 0.5;
/// The bin of no time at all.
const NONE: i16 = -1;

fn config() -> Config {
    Config::new(ACCURACY, MOST_BINS, LEAST)
}

/// The bin of a duration.
pub(super) fn bin(duration: Duration) -> i16 {
    let millis = duration.as_millis();
    if millis == 0 {
        return NONE;
    }
    let millis = u32::try_from(millis).map_or(f64::from(u32::MAX), f64::from);
    i16::try_from(config().key(millis)).unwrap_or(i16::MAX)
}

/// Durations that were counted by bins.
pub struct Durations(DDSketch);

impl Durations {
    /// From bins and their counts. A count below zero is none: a reader may see that a run was taken back and not yet
    /// that it was counted.
    pub(super) fn of(bins: impl IntoIterator<Item = (i16, i64)>) -> Self {
        let mut sketch = DDSketch::new(config());
        for (bin, count) in bins {
            let value = if bin == NONE { 0.0 } else { config().value(i32::from(bin)) };
            sketch.add_with_count(value, u64::try_from(count).unwrap_or(0));
        }
        Self(sketch)
    }

    /// The duration that this part of all is not longer than, in milliseconds; none when there are none.
    pub fn quantile(&self, part: f64) -> Option<u64> {
        let value = self.0.quantile(part).ok().flatten()?;
        Some(whole(value))
    }
}

/// The nearest whole number.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and it saturates")]
pub(super) fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_merged_bins_are_within_two_percent_of_the_exact_ones() {
        let exact: Vec<u64> = (0..5_000_u64).map(|i| i * i % 90_001).collect();
        let mut sorted = exact.clone();
        sorted.sort_unstable();
        // As two writers count: each bin of each of them is a number of its own.
        let bins = |values: &[u64]| {
            let mut bins = std::collections::BTreeMap::new();
            for value in values {
                *bins.entry(bin(Duration::from_millis(*value))).or_insert(0_i64) += 1;
            }
            bins
        };
        let (one, other) = exact.split_at(1_700);
        let sketch = Durations::of(bins(one).into_iter().chain(bins(other)));
        for part in [0.5, 0.95, 0.99] {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
            let rank = (part * 4_999.0) as usize;
            let (told, exact) = (sketch.quantile(part).unwrap(), sorted[rank]);
            let off = told.abs_diff(exact);
            assert!(off * 50 <= exact + 50, "{part}: {told} for {exact}");
        }
    }

    #[test]
    fn no_time_at_all_is_a_duration_and_no_durations_have_no_quantile() {
        assert_eq!(Durations::of([(bin(Duration::ZERO), 3)]).quantile(0.5), Some(0));
        assert_eq!(Durations::of([]).quantile(0.5), None);
        assert_eq!(Durations::of([(bin(Duration::from_millis(1)), 1)]).quantile(0.5), Some(1));
        assert!(Durations::of([(bin(Duration::MAX), 1)]).quantile(0.5) > Some(4_000_000_000));
    }
}
