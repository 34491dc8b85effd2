//! What is under way in this process, so that a run that takes its process with it is found out and held responsible, and no
//! other run is.
//!
//! A run that was under way when a process died is a *suspect*: it may have been the reason, or one of those beside it. It is
//! executed again, but alone in its process, and that it is alone is written before anything of it is done. Only a process
//! that dies then is held against the run ([`engine::Command::Isolate`]).
//!
//! **The gate.** Other runs pass it side by side, a suspect alone; suspects follow one another, and between two of them the
//! others have their turn. A suspect does not wait for ever for the others' calls to end: then it goes on beside them, and
//! if the process dies of it, it is a suspect again when the next one starts.
//!
//! **The journal.** Scripts are executed before anybody has claimed them, so the rows do not tell whose they were. The local
//! process keeps a file beside its data that names the runs under way: a few bytes are written when one begins and ends, and
//! nothing is synchronised, because the file outlives the process and need not outlive the machine. On Lambda a message that
//! comes again tells as much.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{
    Mutex as AsyncMutex, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock,
};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use platform::boxed;
use types::ids::RunRef;

/// How long a suspect keeps others from beginning while it waits for those that have begun.
const DRAIN: Duration = Duration::from_secs(2);
/// How often it does so, and between that lets them begin.
const MAX_DRAINS: u32 = 5;
/// For how long it lets them; twice that the next time, and so on.
const PAUSE: Duration = Duration::from_secs(1);
/// The bytes of an entry of the journal: place and id of a run.
const ENTRY: usize = 256;
/// What stands first in the journal of a process that was told to end.
const IN_ORDER: &str = "in order";
const UNDER_WAY: &str = "under way";

/// What is under way in a process.
#[derive(Debug)]
pub struct UnderWay {
    process: String,
    gate: Arc<RwLock<()>>,
    /// Suspects wait for one another here, so that one at a time asks for the gate.
    suspects_turn: Arc<AsyncMutex<()>>,
    /// Runs that were under way when earlier processes died.
    suspects: Mutex<HashMap<RunRef, Suspicion>>,
    /// Kept for this suspect from the process's start: nobody else has begun yet.
    first: Mutex<Option<(RunRef, OwnedRwLockWriteGuard<()>)>>,
    journal: OnceLock<Journal>,
}

impl Default for UnderWay {
    fn default() -> Self {
        Self {
            process: Uuid::new_v4().to_string(),
            gate: Arc::default(),
            suspects_turn: Arc::default(),
            suspects: Mutex::default(),
            first: Mutex::default(),
            journal: OnceLock::new(),
        }
    }
}

/// How often processes died while a run was under way, one after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Suspicion {
    /// Whether it was alone or not.
    #[serde(default)]
    suspected: u32,
    /// While it was.
    #[serde(default)]
    alone: u32,
}

impl Suspicion {
    /// Who has waited longest for a turn comes first. Who had one has that behind it: when somebody kills processes, it does
    /// not hit the same run each time.
    fn rank(self) -> i64 {
        i64::from(self.suspected) - 2 * i64::from(self.alone)
    }

    fn max(self, other: Self) -> Self {
        Self { suspected: self.suspected.max(other.suspected), alone: self.alone.max(other.alone) }
    }
}

/// A run's turn in this process; over when dropped.
#[derive(Debug)]
pub struct Turn {
    pass: Pass,
    note: Option<Note>,
}

#[derive(Debug)]
enum Pass {
    #[expect(dead_code, reason = "held until it is dropped")]
    Beside(OwnedRwLockReadGuard<()>),
    /// With the suspects' turn: while one is alone the others do not use up their patience.
    Alone(
        OwnedRwLockWriteGuard<()>,
        #[expect(dead_code, reason = "held until it is dropped")] Option<OwnedMutexGuard<()>>,
    ),
    /// Between the two.
    None,
}

impl Turn {
    /// Whether no other run of this process is under way.
    pub const fn is_alone(&self) -> bool {
        matches!(self.pass, Pass::Alone(..))
    }

    /// It has been alone for long enough: others begin beside it.
    pub fn lets_others_begin(&mut self) {
        if let Some(note) = &self.note {
            note.rewrite(Suspicion::default());
        }
        self.pass = match std::mem::replace(&mut self.pass, Pass::None) {
            Pass::Alone(guard, _) => Pass::Beside(guard.downgrade()),
            pass => pass,
        };
    }
}

impl UnderWay {
    /// Tells this process from all others.
    pub fn process(&self) -> &str {
        &self.process
    }

    /// Keeps the journal in this file from now on. Those that an earlier process left in it are suspects, unless it was told
    /// to end.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn keep_journal(&self, file: &Path) -> io::Result<()> {
        let (journal, left) = Journal::open(file)?;
        let _ = self.journal.set(journal);
        let most = left.iter().max_by_key(|(_, suspicion)| suspicion.rank()).map(|(run, _)| run.clone());
        let most = most.zip(Arc::clone(&self.gate).try_write_owned().ok());
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = most;
        *self.suspects.lock().unwrap_or_else(PoisonError::into_inner) = left.into_iter().collect();
        Ok(())
    }

    /// Whether the process before this one was told to end: what it was in the middle of is no loss.
    pub fn was_ended_in_order(&self) -> bool {
        self.journal.get().is_some_and(|journal| journal.was_ended_in_order)
    }

    /// This process was told to end: what is under way when it does is no suspect.
    pub fn ends_in_order(&self) {
        if let Some(journal) = self.journal.get() {
            journal.write(0, IN_ORDER);
        }
    }

    /// Nothing is kept for the first suspect any more.
    pub fn lets_all_begin(&self) {
        drop(self.first.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Whether the run was under way when an earlier process died, and has not had its turn since.
    pub fn is_suspect(&self, run: &RunRef) -> bool {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner).contains_key(run)
    }

    /// The run has had its turn, or needs none.
    pub fn is_cleared(&self, run: &RunRef) {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        drop(first.take_if(|(waits, _)| waits == run));
        drop(first);
        if let Some(journal) = self.journal.get() {
            journal.clear_suspect(run);
        }
    }

    /// A turn beside others, once no suspect is alone.
    #[boxed]
    pub async fn take_turn(&self, run: &RunRef) -> Turn {
        let guard = Arc::clone(&self.gate).read_owned().await;
        Turn { pass: Pass::Beside(guard), note: self.note(run) }
    }

    /// A turn alone, after the suspects that ask already; or beside others when these do not end for long.
    #[boxed]
    pub async fn take_turn_alone(&self, run: &RunRef) -> Turn {
        let note = self.note(run);
        let kept =
            self.first.lock().unwrap_or_else(PoisonError::into_inner).take_if(|(first, _)| first == run);
        if let Some((_, guard)) = kept {
            let turn = Arc::clone(&self.suspects_turn).try_lock_owned().ok();
            return self.alone(run, (guard, turn), note);
        }
        let turn = Arc::clone(&self.suspects_turn).lock_owned().await;
        for tries in 0..MAX_DRAINS {
            if let Ok(guard) = timeout(DRAIN, Arc::clone(&self.gate).write_owned()).await {
                return self.alone(run, (guard, Some(turn)), note);
            }
            sleep(PAUSE * 2_u32.saturating_pow(tries)).await;
        }
        Turn { pass: Pass::Beside(Arc::clone(&self.gate).read_owned().await), note }
    }

    fn alone(
        &self,
        run: &RunRef,
        (guard, turn): (OwnedRwLockWriteGuard<()>, Option<OwnedMutexGuard<()>>),
        note: Option<Note>,
    ) -> Turn {
        let before = self.suspects.lock().unwrap_or_else(PoisonError::into_inner).get(run).copied();
        let before = before.unwrap_or_default();
        if let Some(note) = &note {
            note.rewrite(Suspicion { alone: before.alone.saturating_add(1), ..before });
        }
        Turn { pass: Pass::Alone(guard, turn), note }
    }

    fn note(&self, run: &RunRef) -> Option<Note> {
        self.journal.get().map(|journal| journal.note(run))
    }
}

/// The file that names what is under way: an entry each, the first of which says how the process ended.
#[derive(Debug, Clone)]
struct Journal {
    kept: Arc<Kept>,
    was_ended_in_order: bool,
}

#[derive(Debug)]
struct Kept {
    file: File,
    entries: Mutex<Entries>,
}

/// Which entries of the file are in use.
#[derive(Debug, Default)]
struct Entries {
    free: Vec<usize>,
    /// How many there are, with the first.
    count: usize,
    suspects: HashMap<RunRef, usize>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    run: RunRef,
    #[serde(flatten)]
    suspicion: Suspicion,
}

/// That a run is under way, until it is dropped.
#[derive(Debug)]
struct Note {
    journal: Journal,
    run: RunRef,
    entry: usize,
}

impl Note {
    fn rewrite(&self, suspicion: Suspicion) {
        self.journal.write_entry(self.entry, &self.run, suspicion);
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        self.journal.free(self.entry);
    }
}

impl Journal {
    fn open(file: &Path) -> io::Result<(Self, Vec<(RunRef, Suspicion)>)> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(file)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let mut lines = text.chunks(ENTRY).map(|entry| String::from_utf8_lossy(entry).trim().to_owned());
        // Of before there was a journal nothing is known.
        let was_ended_in_order = lines.next().is_none_or(|first| first != UNDER_WAY);
        let left = lines.filter_map(|line| serde_json::from_str::<Entry>(&line).ok());
        let left: Vec<Entry> = if was_ended_in_order { Vec::new() } else { left.collect() };
        file.set_len(0)?;
        let kept = Kept { file, entries: Mutex::new(Entries { count: 1, ..Entries::default() }) };
        let journal = Self { kept: Arc::new(kept), was_ended_in_order };
        journal.write(0, UNDER_WAY);
        // Until they have had their turn they stay in it.
        let mut suspects: HashMap<RunRef, Suspicion> = HashMap::new();
        for Entry { run, suspicion } in left {
            let once_more = Suspicion { suspected: suspicion.suspected.saturating_add(1), ..suspicion };
            let known = suspects.entry(run).or_default();
            *known = known.max(once_more);
        }
        for (run, suspicion) in &suspects {
            let entry = journal.take();
            journal.write_entry(entry, run, *suspicion);
            journal.entries(|entries| entries.suspects.insert(run.clone(), entry));
        }
        Ok((journal, suspects.into_iter().collect()))
    }

    fn note(&self, run: &RunRef) -> Note {
        let entry = self.take();
        self.write_entry(entry, run, Suspicion::default());
        Note { journal: self.clone(), run: run.clone(), entry }
    }

    fn clear_suspect(&self, run: &RunRef) {
        if let Some(entry) = self.entries(|entries| entries.suspects.remove(run)) {
            self.free(entry);
        }
    }

    fn take(&self) -> usize {
        self.entries(|entries| {
            entries.free.pop().unwrap_or_else(|| {
                entries.count += 1;
                entries.count - 1
            })
        })
    }

    fn free(&self, entry: usize) {
        self.write(entry, "");
        self.entries(|entries| entries.free.push(entry));
    }

    fn entries<T>(&self, change: impl FnOnce(&mut Entries) -> T) -> T {
        change(&mut self.kept.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write_entry(&self, entry: usize, run: &RunRef, suspicion: Suspicion) {
        match serde_json::to_string(&Entry { run: run.clone(), suspicion }) {
            Ok(text) if text.len() < ENTRY => self.write(entry, &text),
            _ => tracing::warn!(run_id = %run.run_id, "a run does not fit the journal"),
        }
    }

    /// Without it a run goes on all the same; it only is no suspect when the process dies.
    fn write(&self, entry: usize, text: &str) {
        let line = format!("{text:<width$}\n", width = ENTRY - 1);
        let at = u64::try_from(entry * ENTRY).unwrap_or(u64::MAX);
        if let Err(error) = self.kept.file.write_all_at(line.as_bytes(), at) {
            tracing::warn!(%error, "the journal of runs under way cannot be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use types::ids::Place;

    use super::*;

    fn run(n: i64) -> RunRef {
        let place = Place { tenant_id: "acme".parse().unwrap(), project_id: "default".parse().unwrap() };
        RunRef { place, run_id: format!("00000000-0000-7000-8000-{n:012}").parse().unwrap() }
    }

    /// A process on this file.
    fn started(file: &Path) -> UnderWay {
        let under_way = UnderWay::default();
        under_way.keep_journal(file).unwrap();
        under_way
    }

    #[tokio::test]
    async fn who_was_under_way_is_a_suspect_until_it_had_its_turn() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("under_way");
        let (ended, open) = (run(1), run(2));
        let first = started(&file);
        assert!(first.was_ended_in_order(), "there was none before");
        drop(first.take_turn(&ended).await);
        let _turn = first.take_turn(&open).await;
        // It dies.
        for _ in 0..3 {
            let next = started(&file);
            assert!(!next.was_ended_in_order());
            assert_eq!((next.is_suspect(&ended), next.is_suspect(&open)), (false, true));
            // It dies before anybody has looked at it, or while it is alone.
            std::mem::forget(next.take_turn_alone(&open).await);
        }
        let last = started(&file);
        drop(last.take_turn_alone(&open).await);
        last.is_cleared(&open);
        assert!(!started(&file).is_suspect(&open), "it has had its turn");
    }

    #[tokio::test]
    async fn who_is_under_way_when_a_process_is_told_to_end_is_no_suspect() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("under_way");
        let first = started(&file);
        let _turn = first.take_turn(&run(1)).await;
        first.ends_in_order();
        let _late = first.take_turn(&run(2)).await;
        let next = started(&file);
        assert!(next.was_ended_in_order());
        assert!(!next.is_suspect(&run(1)) && !next.is_suspect(&run(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn suspects_are_alone_one_after_the_other_and_others_between_them() {
        let under_way = Arc::new(UnderWay::default());
        let beside = under_way.take_turn(&run(1)).await;
        let alone = |n: i64| {
            let under_way = Arc::clone(&under_way);
            tokio::spawn(async move { under_way.take_turn_alone(&run(n)).await })
        };
        let (second, third) = (alone(2), alone(3));
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(beside);
        let first_alone = second.await.unwrap();
        assert!(first_alone.is_alone() && !third.is_finished());
        let other = tokio::spawn({
            let under_way = Arc::clone(&under_way);
            async move { under_way.take_turn(&run(4)).await }
        });
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!other.is_finished(), "it is alone");
        drop(first_alone);
        drop(other.await.unwrap());
        assert!(third.await.unwrap().is_alone());
    }

    #[tokio::test(start_paused = true)]
    async fn a_suspect_does_not_hold_up_others_for_calls_that_do_not_end() {
        let under_way = Arc::new(UnderWay::default());
        let _endless = under_way.take_turn(&run(1)).await;
        let waiting = tokio::spawn({
            let under_way = Arc::clone(&under_way);
            async move { under_way.take_turn_alone(&run(2)).await }
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
        let began = tokio::time::Instant::now();
        drop(under_way.take_turn(&run(3)).await);
        assert!(began.elapsed() <= DRAIN, "others begin after {:?}", began.elapsed());
        assert!(!waiting.await.unwrap().is_alone(), "at last it goes on beside them");
    }

    #[tokio::test]
    async fn whoever_waited_longest_for_a_turn_has_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("under_way");
        let first = started(&file);
        let (_one, _other) = (first.take_turn(&run(1)).await, first.take_turn(&run(2)).await);
        let mut alone = Vec::new();
        for _ in 0..4 {
            let next = started(&file);
            let who = next.first.lock().unwrap().as_ref().map(|(run, _)| run.clone()).unwrap();
            std::mem::forget(next.take_turn_alone(&who).await);
            alone.push(who);
        }
        let turns = |n: i64| alone.iter().filter(|who| **who == run(n)).count();
        assert_eq!((turns(1), turns(2)), (2, 2), "{alone:?}");
    }
}
