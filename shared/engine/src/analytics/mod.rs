//! What is counted of runs: figures by hour and day, and ranges of them.

pub mod figures;
pub mod range;
mod sketch;
mod tally;

pub use figures::Figures;
pub use range::{Granularity, Range, Window};
pub use tally::{Counted, Counts, Tally};
