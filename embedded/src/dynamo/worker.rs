//! The thread that owns the database. SQLite blocks and takes one request at a time, so that one thread of
//! its own costs less than a pool whose threads would wait for each other.

use super::error::DynamoError;
use super::tokens::Tokens;
use dynoxide::Database;
use std::fs::{OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc;
use tokio::sync::oneshot;

/// What a request may use: the database, and the transactions that have run.
pub(super) struct Store {
    /// The database.
    pub(super) database: Database,
    /// The transactions of the last minutes, by their client request token.
    pub(super) tokens: Tokens,
}

type Job = Box<dyn FnOnce(&mut Store) + Send>;

enum Message {
    Run(Job),
    Stop(oneshot::Sender<()>),
}

/// Hands work to the database's thread. The thread ends with the last clone, or on [`Worker::stop`].
#[derive(Clone, Debug)]
pub(super) struct Worker {
    inbox: mpsc::Sender<Message>,
}

impl Worker {
    /// Starts the thread and opens the database on it.
    pub(super) async fn start(path: Option<&Path>) -> Result<Self, DynamoError> {
        let path = match path {
            Some(path) => Some(path.to_str().ok_or(DynamoError::Path)?.to_owned()),
            None => None,
        };
        let (inbox, messages) = mpsc::channel();
        let (opened, open) = oneshot::channel();
        let thread = std::thread::Builder::new().name("embedded-dynamo".to_owned());
        thread.spawn(move || match database(path.as_deref()) {
            Ok(database) => {
                let _ = opened.send(Ok(()));
                work(Store { database, tokens: Tokens::default() }, path.as_deref(), &messages);
            }
            Err(error) => {
                let _ = opened.send(Err(error));
            }
        })?;
        open.await.map_err(|_| DynamoError::Closed)??;
        Ok(Self { inbox })
    }

    /// Runs `job` on the thread, after everything that was sent before it.
    ///
    /// # Errors
    ///
    /// When the thread has ended, or `job` panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Store) -> T + Send + 'static,
    ) -> Result<T, DynamoError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |store| {
            let _ = answer.send(job(store));
        });
        self.inbox.send(Message::Run(job)).map_err(|_| DynamoError::Closed)?;
        answered.await.map_err(|_| DynamoError::Closed)
    }

    /// Deletes expired items, on a thread of the runtime: the sweep lets the database's own thread go first
    /// between its pages.
    pub(super) async fn sweep_ttl(&self) -> Result<usize, DynamoError> {
        let database = self.run(|store| store.database.clone()).await?;
        let swept = tokio::task::spawn_blocking(move || database.sweep_ttl()).await;
        Ok(swept.map_err(|_| DynamoError::Closed)??)
    }

    /// Ends the thread once it has done what was sent before, and closes the database.
    pub(super) async fn stop(&self) {
        let (closed, wait) = oneshot::channel();
        if self.inbox.send(Message::Stop(closed)).is_ok() {
            let _ = wait.await;
        }
    }
}

fn database(path: Option<&str>) -> Result<Database, DynamoError> {
    // How it flushes the disk and how much it keeps in memory is built in: see LIBSQLITE3_FLAGS in .cargo/config.toml.
    Ok(match path {
        Some(path) => {
            keep_to_owner(path).map_err(|source| DynamoError::File { path: path.to_owned(), source })?;
            Database::new(path)?
        }
        None => Database::memory()?,
    })
}

/// Only the process's user reads the data, whatever directory it lies in. SQLite gives the files beside it (`-wal`, `-shm`)
/// the mode of the database's own; those that a crash has left get it here.
fn keep_to_owner(path: &str) -> std::io::Result<()> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    for file in [path.to_owned(), format!("{path}-wal"), format!("{path}-shm")] {
        match std::fs::set_permissions(&file, Permissions::from_mode(0o600)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            done => done?,
        }
    }
    Ok(())
}

fn work(mut store: Store, path: Option<&str>, messages: &mpsc::Receiver<Message>) {
    for message in messages {
        match message {
            Message::Run(job) => {
                // A panic poisons the database's own lock. Opening the file anew rolls back what the job
                // had begun, and the other requests go on; its own caller learns that it has no answer.
                if catch_unwind(AssertUnwindSafe(|| job(&mut store))).is_err()
                    && path.is_some()
                    && let Ok(reopened) = database(path)
                {
                    store.database = reopened;
                }
            }
            Message::Stop(closed) => {
                drop(store);
                let _ = closed.send(());
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dynoxide::actions::list_tables::ListTablesRequest;

    #[tokio::test]
    async fn a_request_that_panics_leaves_the_others_a_database() {
        let dir = tempfile::tempdir().unwrap();
        let worker = Worker::start(Some(&dir.path().join("dynamo.sqlite"))).await.unwrap();
        let failed = worker.run(|_| -> () { panic!("expected by this test") }).await;
        assert!(matches!(failed, Err(DynamoError::Closed)));
        let tables =
            worker.run(|store| store.database.list_tables(ListTablesRequest::default())).await.unwrap();
        assert!(tables.unwrap().table_names.is_empty());
    }
}
