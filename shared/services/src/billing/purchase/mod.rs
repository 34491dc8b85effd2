//! What a tenant admin does about the workspace's plan.
//!
//! Each change has a number, which is written before the provider is asked for anything; calls are known to it by that
//! number, so that one whose answer was lost is made once. What the change has led to is then asked for and taken over,
//! as after any event. So a change that died on the way is carried out again without harm: it finds what is done.

pub mod topup;

mod cancel;
mod change_plan;
mod changed;
mod checkout;
mod choice;
mod convert_trial;
mod subscribe;
mod trial;

pub use cancel::cancel;
pub use change_plan::change_plan;
pub use changed::Changed;
pub use choice::PlanChoice;
pub use convert_trial::convert_trial;
pub use subscribe::subscribe;
pub use trial::begin_trial;
