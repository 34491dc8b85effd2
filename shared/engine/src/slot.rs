//! What can be executed: a step of the graph, or an inner step in one round of a loop.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use workflow::{Plan, StepIx};

/// A step, or an inner step in a round of a loop. Written `7`, or `7.1.12.0`: step, attempt of the loop,
/// round, place in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The step of the graph.
    pub step: StepIx,
    /// Where in the loop, when it is an inner step.
    pub inner: Option<Inner>,
}

/// A place in a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inner {
    /// The attempt of the loop: what an earlier attempt made is not taken for this one's.
    pub attempt: u32,
    /// The item of a `for_each` or the iteration of a `while`, from 0.
    pub round: u32,
    /// The place in the body, from 0; its length stands for a `while`'s condition.
    pub place: u16,
}

impl Inner {
    /// Where a round keeps why it failed.
    pub const FAILURE: u16 = u16::MAX;
}

impl Slot {
    /// The same round of the same loop, at another place.
    #[must_use]
    pub fn at_place(self, place: u16) -> Self {
        Self { step: self.step, inner: self.inner.map(|inner| Inner { place, ..inner }) }
    }
}

impl Slot {
    /// What people call the human task at this place: the step's id, and for the review of a failed item the
    /// loop's id with the item, such as `each:3`.
    pub fn task_id(self, plan: &Plan) -> String {
        let id = &plan.step(self.step).step.id;
        match self.inner {
            None => id.clone(),
            Some(inner) => format!("{id}:{}", inner.round),
        }
    }
}

impl From<StepIx> for Slot {
    fn from(step: StepIx) -> Self {
        Self { step, inner: None }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inner {
            None => write!(f, "{}", self.step.0),
            Some(Inner { attempt, round, place }) => {
                write!(f, "{}.{attempt}.{round}.{place}", self.step.0)
            }
        }
    }
}

/// A text that is not a slot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a slot: {0:?}")]
pub struct InvalidSlot(String);

impl FromStr for Slot {
    type Err = InvalidSlot;

    fn from_str(text: &str) -> Result<Self, InvalidSlot> {
        let invalid = || InvalidSlot(text.to_owned());
        let numbers: Vec<u32> =
            text.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| invalid())?;
        let short = |number: u32| u16::try_from(number).map_err(|_| invalid());
        match *numbers.as_slice() {
            [step] => Ok(Self { step: StepIx(short(step)?), inner: None }),
            [step, attempt, round, place] => Ok(Self {
                step: StepIx(short(step)?),
                inner: Some(Inner { attempt, round, place: short(place)? }),
            }),
            _ => Err(invalid()),
        }
    }
}

impl Serialize for Slot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Slot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_read_as_they_are_written() {
        let step = Slot::from(StepIx(7));
        let inner =
            Slot { step: StepIx(7), inner: Some(Inner { attempt: 1, round: 12, place: Inner::FAILURE }) };
        for slot in [step, inner, inner.at_place(3)] {
            assert_eq!(slot.to_string().parse(), Ok(slot));
        }
        for bad in ["", "a", "1.2", "1.2.3.4.5", "1.2.3.70000", "70000", "-1"] {
            assert!(bad.parse::<Slot>().is_err(), "{bad}");
        }
    }
}
