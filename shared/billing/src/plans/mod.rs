//! The catalog of plans: what can be bought, from `plans.yaml`, which is part of the program. What the payment
//! provider calls a plan's price differs by deployment and stands in its settings.

mod catalog;
mod settings;

pub use catalog::{Catalog, Interval, InvalidCatalog, Move, Payg, Plan, Product, TrialOffer};
pub use settings::PlanSettings;
