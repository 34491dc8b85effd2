//! Secrets in one encrypted file, for the local process.
//!
//! `<data-dir>/secrets.age` holds all secrets, encrypted with age to the X25519 identity in
//! `<data-dir>/secrets.key`. Both files are readable by their owner only. Every change replaces the file
//! whole and is on disk before it is acknowledged, so that a crash leaves the old or the new content. The
//! key file stays locked while a process has it open: a second process would overwrite what the first put.

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Mutex;

const SECRETS_FILE: &str = "secrets.age";
const KEY_FILE: &str = "secrets.key";

/// Why a secret could not be read or written. No variant carries a secret's value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretsError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the secrets open.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    /// The key file does not hold an age identity.
    #[error("{0} does not hold an age X25519 identity")]
    Key(PathBuf),
    /// The secrets file was written with another key, or is damaged.
    #[error("{path} cannot be decrypted with this key: {source}")]
    Decrypt {
        /// The file.
        path: PathBuf,
        /// What age said.
        source: age::DecryptError,
    },
    /// Encryption failed.
    #[error("the secrets cannot be encrypted: {0}")]
    Encrypt(#[from] age::EncryptError),
    /// The decrypted content is not the JSON this module writes.
    #[error("{0} does not hold secrets")]
    Content(PathBuf),
    /// The thread that was writing has ended.
    #[error("the secrets were not written: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

/// Secrets by name, in an encrypted file. Cheap to clone; all clones share one file.
#[derive(Clone)]
pub struct FileSecrets {
    current: Arc<RwLock<Arc<Secrets>>>,
    vault: Arc<Mutex<Vault>>,
}

impl fmt::Debug for FileSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSecrets").finish_non_exhaustive()
    }
}

impl FileSecrets {
    /// Opens the secrets of `data_dir`; creates the directory and the key at need.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written, the key does not fit the file, or another process has it open.
    pub async fn open(data_dir: &Path) -> Result<Self, SecretsError> {
        let data_dir = data_dir.to_owned();
        let (vault, secrets) = tokio::task::spawn_blocking(move || Vault::open(&data_dir)).await??;
        Ok(Self { current: Arc::new(RwLock::new(Arc::new(secrets))), vault: Arc::new(Mutex::new(vault)) })
    }

    /// The secret of this name. Answers from memory.
    ///
    /// # Errors
    ///
    /// None today; the signature leaves room for a store that must be asked.
    pub async fn get(&self, name: &str) -> Result<Option<SecretString>, SecretsError> {
        Ok(self.current().0.get(name).cloned())
    }

    /// Stores a secret, in place of one of the same name.
    ///
    /// # Errors
    ///
    /// When the file cannot be written; the old content then stays.
    pub async fn put(&self, name: &str, value: SecretString) -> Result<(), SecretsError> {
        let name = name.to_owned();
        self.change(move |secrets| {
            secrets.0.insert(name, value);
            true
        })
        .await
        .map(|_| ())
    }

    /// Deletes a secret; returns whether there was one.
    ///
    /// # Errors
    ///
    /// When the file cannot be written; the old content then stays.
    pub async fn delete(&self, name: &str) -> Result<bool, SecretsError> {
        let name = name.to_owned();
        self.change(move |secrets| secrets.0.remove(&name).is_some()).await
    }

    /// Names of the secrets that start with `prefix`, sorted.
    ///
    /// # Errors
    ///
    /// None today; the signature leaves room for a store that must be asked.
    pub async fn names(&self, prefix: &str) -> Result<Vec<String>, SecretsError> {
        let secrets = self.current();
        let range = secrets.0.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
        Ok(range.map(|(name, _)| name.clone()).collect())
    }

    fn current(&self) -> Arc<Secrets> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Applies `edit` to a copy, writes that, and only then lets readers see it. The blocking thread owns
    /// the vault's lock, so that a caller who gives up halfway does not let a second writer overtake.
    async fn change(
        &self,
        edit: impl FnOnce(&mut Secrets) -> bool + Send + 'static,
    ) -> Result<bool, SecretsError> {
        let vault = Arc::clone(&self.vault).lock_owned().await;
        let current = Arc::clone(&self.current);
        let mut secrets = Secrets::clone(&self.current());
        tokio::task::spawn_blocking(move || {
            let changed = edit(&mut secrets);
            if changed {
                vault.write(&secrets)?;
                *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(secrets);
            }
            Ok(changed)
        })
        .await?
    }
}

/// The secrets in memory. Neither printable nor left behind: the values wipe themselves.
#[derive(Clone, Default)]
struct Secrets(BTreeMap<String, SecretString>);

impl Secrets {
    /// Room for the JSON of all secrets with every character escaped. A buffer that grew would leave
    /// copies of the secrets in freed memory.
    fn json_capacity(&self) -> usize {
        self.0.iter().map(|(name, value)| 6 * (name.len() + value.expose_secret().len()) + 6).sum::<usize>()
            + 2
    }
}

impl Serialize for Secrets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value.expose_secret())?;
        }
        map.end()
    }
}

/// The two files, and the key that opens them.
struct Vault {
    secrets_path: PathBuf,
    identity: age::x25519::Identity,
    /// Holds the lock on the key file until the last clone is gone.
    _key_file: File,
}

impl Vault {
    fn open(data_dir: &Path) -> Result<(Self, Secrets), SecretsError> {
        DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(at(data_dir))?;
        let key_path = data_dir.join(KEY_FILE);
        let mut key_file = owner_only().read(true).create(true).open(&key_path).map_err(at(&key_path))?;
        key_file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => SecretsError::InUse(key_path.clone()),
            TryLockError::Error(source) => SecretsError::Io { path: key_path.clone(), source },
        })?;
        let secrets_path = data_dir.join(SECRETS_FILE);
        let identity = identity(&mut key_file, &key_path, &secrets_path)?;
        let vault = Self { secrets_path, identity, _key_file: key_file };
        let secrets = vault.read()?;
        Ok((vault, secrets))
    }

    fn read(&self) -> Result<Secrets, SecretsError> {
        let path = &self.secrets_path;
        let encrypted = match std::fs::read(path) {
            Ok(encrypted) => encrypted,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Secrets::default()),
            Err(source) => return Err(SecretsError::Io { path: path.clone(), source }),
        };
        let json = age::decrypt(&self.identity, &encrypted)
            .map(Zeroizing::new)
            .map_err(|source| SecretsError::Decrypt { path: path.clone(), source })?;
        let secrets: BTreeMap<String, String> =
            serde_json::from_slice(&json).map_err(|_| SecretsError::Content(path.clone()))?;
        Ok(Secrets(secrets.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect()))
    }

    fn write(&self, secrets: &Secrets) -> Result<(), SecretsError> {
        let path = &self.secrets_path;
        let mut json = Zeroizing::new(Vec::with_capacity(secrets.json_capacity()));
        serde_json::to_writer(&mut *json, secrets).map_err(|_| SecretsError::Content(path.clone()))?;
        let encrypted = age::encrypt(&self.identity.to_public(), &json)?;
        replace(path, &encrypted).map_err(at(path))
    }
}

/// Reads the identity, or makes one for a fresh directory. A missing key beside existing secrets is an
/// error: a new one would make them unreadable for good at the next write.
fn identity(
    key_file: &mut File,
    key_path: &Path,
    secrets_path: &Path,
) -> Result<age::x25519::Identity, SecretsError> {
    let mut text = Zeroizing::new(String::with_capacity(256));
    key_file.read_to_string(&mut text).map_err(at(key_path))?;
    if !text.trim().is_empty() {
        return text.trim().parse().map_err(|_| SecretsError::Key(key_path.to_owned()));
    }
    if secrets_path.try_exists().map_err(at(secrets_path))? {
        return Err(SecretsError::Key(key_path.to_owned()));
    }
    let identity = age::x25519::Identity::generate();
    key_file
        .write_all(identity.to_string().expose_secret().as_bytes())
        .and_then(|()| key_file.sync_all())
        .and_then(|()| sync_directory(key_path))
        .map_err(at(key_path))?;
    Ok(identity)
}

/// Replaces a file whole: the content is on disk under another name before it takes this one.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = owner_only().truncate(true).create(true).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    sync_directory(path)
}

fn sync_directory(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> SecretsError + '_ {
    move |source| SecretsError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn secret(value: &str) -> SecretString {
        SecretString::from(value)
    }

    async fn value(secrets: &FileSecrets, name: &str) -> Option<String> {
        secrets.get(name).await.unwrap().map(|value| value.expose_secret().to_owned())
    }

    #[tokio::test]
    async fn a_secret_survives_reopening_and_lies_on_disk_encrypted() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = FileSecrets::open(dir.path()).await.unwrap();
        secrets.put("tenant/a/token", secret("correct horse \"battery\" \u{1} staple")).await.unwrap();
        secrets.put("tenant/b/token", secret("second")).await.unwrap();
        assert!(secrets.delete("tenant/b/token").await.unwrap());
        assert!(!secrets.delete("tenant/b/token").await.unwrap());
        drop(secrets);

        let file = std::fs::read(dir.path().join(SECRETS_FILE)).unwrap();
        assert!(file.starts_with(b"age-encryption.org/v1"));
        assert!(!file.windows(7).any(|window| window == b"battery"));

        let reopened = FileSecrets::open(dir.path()).await.unwrap();
        assert_eq!(
            value(&reopened, "tenant/a/token").await.as_deref(),
            Some("correct horse \"battery\" \u{1} staple")
        );
        assert_eq!(value(&reopened, "tenant/b/token").await, None);
    }

    #[tokio::test]
    async fn both_files_are_readable_by_their_owner_only_and_no_temporary_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = FileSecrets::open(dir.path()).await.unwrap();
        secrets.put("name", secret("value")).await.unwrap();
        let mut files: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (
                    entry.file_name().into_string().unwrap(),
                    entry.metadata().unwrap().permissions().mode() & 0o777,
                )
            })
            .collect();
        files.sort();
        assert_eq!(files, [(SECRETS_FILE.to_owned(), 0o600), (KEY_FILE.to_owned(), 0o600)]);
    }

    #[tokio::test]
    async fn names_lists_a_prefix_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = FileSecrets::open(dir.path()).await.unwrap();
        for name in ["b/2", "a/1", "b/1", "b", "c"] {
            secrets.put(name, secret("x")).await.unwrap();
        }
        assert_eq!(secrets.names("b/").await.unwrap(), ["b/1", "b/2"]);
        assert_eq!(secrets.names("").await.unwrap().len(), 5);
        assert_eq!(secrets.names("z").await.unwrap(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn concurrent_writers_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = FileSecrets::open(dir.path()).await.unwrap();
        let writers: Vec<_> = (0..16)
            .map(|n| {
                let secrets = secrets.clone();
                tokio::spawn(
                    async move { secrets.put(&format!("name-{n:02}"), secret(&n.to_string())).await },
                )
            })
            .collect();
        for writer in writers {
            writer.await.unwrap().unwrap();
        }
        drop(secrets);
        let reopened = FileSecrets::open(dir.path()).await.unwrap();
        assert_eq!(reopened.names("name-").await.unwrap().len(), 16);
        assert_eq!(value(&reopened, "name-07").await.as_deref(), Some("7"));
    }

    #[tokio::test]
    async fn a_directory_opens_once_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = FileSecrets::open(dir.path()).await.unwrap();
        let second = FileSecrets::open(dir.path()).await;
        assert!(matches!(second, Err(SecretsError::InUse(_))));
        drop(first);
        FileSecrets::open(dir.path()).await.unwrap();
    }

    #[tokio::test]
    async fn a_lost_or_foreign_key_is_refused_and_the_secrets_stay() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = FileSecrets::open(dir.path()).await.unwrap();
        secrets.put("name", secret("value")).await.unwrap();
        drop(secrets);
        let content = std::fs::read(dir.path().join(SECRETS_FILE)).unwrap();
        let key = std::fs::read(dir.path().join(KEY_FILE)).unwrap();

        std::fs::remove_file(dir.path().join(KEY_FILE)).unwrap();
        assert!(matches!(FileSecrets::open(dir.path()).await, Err(SecretsError::Key(_))));
        let foreign = age::x25519::Identity::generate().to_string();
        std::fs::write(dir.path().join(KEY_FILE), foreign.expose_secret()).unwrap();
        assert!(matches!(FileSecrets::open(dir.path()).await, Err(SecretsError::Decrypt { .. })));

        assert_eq!(std::fs::read(dir.path().join(SECRETS_FILE)).unwrap(), content);
        std::fs::write(dir.path().join(KEY_FILE), key).unwrap();
        let restored = FileSecrets::open(dir.path()).await.unwrap();
        assert_eq!(value(&restored, "name").await.as_deref(), Some("value"));
    }

    #[tokio::test]
    async fn debug_output_shows_no_value() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = FileSecrets::open(dir.path()).await.unwrap();
        secrets.put("name", secret("hunter2")).await.unwrap();
        assert_eq!(format!("{secrets:?}"), "FileSecrets { .. }");
    }
}
