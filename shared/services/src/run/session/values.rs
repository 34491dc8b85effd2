//! What steps were called with and have made, which stands on a run's pages: the open one, and closed ones in the store.

use std::collections::BTreeMap;

use super::Session;
use engine::{Page, RunInput, Slot};
use platform::boxed;
use types::Result;
use types::json_text::JsonText;
use workflow::StepIx;

/// Results of closed pages that are kept in memory for the steps to come.
const MAX_KEPT: usize = 16 * 1024 * 1024;

impl Session {
    /// What a step, or an inner step of a loop under way, has made; none when it has made nothing. Reads the
    /// page that holds it at most once.
    ///
    /// # Errors
    /// When the store does not answer.
    #[boxed]
    pub async fn result(&mut self, slot: Slot) -> Result<Option<JsonText>> {
        if let Some(result) = self.machine.page().results.get(&slot).or_else(|| self.kept.get(&slot)) {
            return Ok(Some(result.clone()));
        }
        if let Some(result) = self.closed.as_ref().and_then(|page| page.results.get(&slot)) {
            return Ok(Some(result.clone()));
        }
        for first_seq in self.pages_of(slot, &self.beside.at.results) {
            let page = self.state.store.page(&self.machine.run().key, first_seq).await?;
            let result = page.results.get(&slot).cloned();
            self.keep(page);
            if result.is_some() {
                return Ok(result);
            }
        }
        Ok(None)
    }

    /// The closed pages that may hold something of a step, the likeliest first.
    fn pages_of(&self, slot: Slot, of_graph: &BTreeMap<StepIx, u64>) -> Vec<u64> {
        match slot.inner {
            None => of_graph.get(&slot.step).copied().into_iter().collect(),
            Some(_) => self.beside.at.loops.get(&slot.step).into_iter().flatten().rev().copied().collect(),
        }
    }

    /// Everything that the rounds of a loop have made.
    ///
    /// # Errors
    /// When the store does not answer.
    #[boxed]
    pub async fn made_by_rounds(&self, step: StepIx) -> Result<BTreeMap<Slot, JsonText>> {
        let mut made = BTreeMap::new();
        let mut take = |page: &Page| {
            let of_loop = page.results.iter().filter(|(slot, _)| slot.step == step && slot.inner.is_some());
            made.extend(of_loop.map(|(slot, value)| (*slot, value.clone())));
        };
        for first_seq in self.beside.at.loops.get(&step).into_iter().flatten() {
            match self.closed.as_ref().filter(|page| page.first_seq == *first_seq) {
                Some(page) => take(page),
                None => take(&self.state.store.page(&self.machine.run().key, *first_seq).await?),
            }
        }
        take(self.machine.page());
        Ok(made)
    }

    /// The fields with which a step was called; none when it has none.
    ///
    /// # Errors
    /// When the store does not answer.
    #[boxed]
    pub async fn step_input(&self, slot: Slot) -> Result<Option<JsonText>> {
        if let Some(input) = self.machine.page().inputs.get(&slot) {
            return Ok(Some(input.clone()));
        }
        for first_seq in self.pages_of(slot, &self.beside.at.inputs) {
            let page = match self.closed.as_ref().filter(|page| page.first_seq == first_seq) {
                Some(page) => page.inputs.get(&slot).cloned(),
                None => self
                    .state
                    .store
                    .page(&self.machine.run().key, first_seq)
                    .await?
                    .inputs
                    .get(&slot)
                    .cloned(),
            };
            if page.is_some() {
                return Ok(page);
            }
        }
        Ok(None)
    }

    /// What the run was started with, with what retries laid over it.
    ///
    /// # Errors
    /// When the store does not answer.
    #[boxed]
    pub async fn input(&self) -> Result<RunInput> {
        Ok(self.state.store.run_input(&self.machine.run().key, &self.beside.input).await?)
    }

    pub(super) fn keep(&mut self, page: Page) {
        if self.room.bytes() > MAX_KEPT {
            self.kept.clear();
            self.room.clear();
        }
        let bytes = page.results.values().map(JsonText::bytes).sum();
        // Where many runs keep much, what is not kept is read again.
        if self.room.grow(bytes) {
            self.kept.extend(page.results);
        }
    }
}
