//! A model of runs: random graphs, outcomes and commands in random order, applied to the machine and noted for
//! a reference that reads off the contract what has to have come of it. After every command the two agree on
//! the run, on every step and round, on what can be done next and on whom it waits for; the events keep their
//! promises; and what is kept of the run is all of it.
//!
//! `PROPTEST_CASES` makes it look further.

mod changes;
mod checks;
mod driver;
mod graphs;
mod history;
mod places;
mod reference;
mod rounds;

use proptest::prelude::*;

use driver::Driver;

/// Runs of a test, unless `PROPTEST_CASES` says otherwise.
fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(cases), max_shrink_iters: 5000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn a_run_is_always_what_was_done_to_it_makes_of_it(
        specs in graphs::graphs(),
        choices in prop::collection::vec(any::<u32>(), 50..300),
    ) {
        let mut driver = Driver::start(specs)?;
        for choice in choices {
            driver.act(choice)?;
        }
        driver.finish()?;
    }
}
