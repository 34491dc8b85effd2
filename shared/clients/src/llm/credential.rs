//! What shows a provider of models who pays.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use platform::secrets::Mask;
use types::{Error, Result, text};

/// Values longer than this show their last four characters.
const SHOWN_BEYOND: usize = 12;

/// What a provider is called with. It does not print.
#[derive(Debug, Clone)]
pub enum Credential {
    /// Nothing: a server that asks for no key.
    None,
    /// A key.
    ApiKey(SecretString),
    /// Keys of an AWS account, which sign requests.
    Aws {
        /// The access key's id.
        access_key_id: SecretString,
        /// The access key.
        secret_access_key: SecretString,
        /// With temporary keys.
        session_token: Option<SecretString>,
    },
    /// The role of the environment.
    Role,
}

/// As the secret store holds it.
#[derive(Deserialize)]
struct Stored {
    api_key: Option<SecretString>,
    access_key_id: Option<SecretString>,
    secret_access_key: Option<SecretString>,
    session_token: Option<SecretString>,
}

impl Serialize for Credential {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields: Vec<(&str, &str)> =
            self.values().map(|(name, value)| (name, value.expose_secret())).collect();
        serializer.collect_map(fields)
    }
}

impl Credential {
    /// From values as people give them, without blanks and line breaks around; none when they are no whole: half of a
    /// pair, or two kinds at once.
    pub fn of(
        api_key: Option<SecretString>,
        access_key_id: Option<SecretString>,
        secret_access_key: Option<SecretString>,
        session_token: Option<SecretString>,
    ) -> Option<Self> {
        // Also what an older version or an operator has kept as it was pasted.
        let trimmed = |value: SecretString| match text::trimmed(value.expose_secret()) {
            all if all.len() == value.expose_secret().len() => value,
            part => part.into(),
        };
        let [api_key, access_key_id, secret_access_key, session_token] =
            [api_key, access_key_id, secret_access_key, session_token].map(|value| value.map(trimmed));
        match (api_key, access_key_id, secret_access_key, session_token) {
            (None, None, None, None) => Some(Self::None),
            (Some(key), None, None, None) => Some(Self::ApiKey(key)),
            (None, Some(access_key_id), Some(secret_access_key), session_token) => {
                Some(Self::Aws { access_key_id, secret_access_key, session_token })
            }
            _ => None,
        }
    }

    pub fn values(&self) -> impl Iterator<Item = (&'static str, &SecretString)> {
        let values = match self {
            Self::None | Self::Role => [None, None, None],
            Self::ApiKey(key) => [Some(("api_key", key)), None, None],
            Self::Aws { access_key_id, secret_access_key, session_token } => [
                Some(("access_key_id", access_key_id)),
                Some(("secret_access_key", secret_access_key)),
                session_token.as_ref().map(|token| ("session_token", token)),
            ],
        };
        values.into_iter().flatten()
    }

    /// Those of its values that are secrets. An access key's id is none.
    pub fn secrets(&self) -> impl Iterator<Item = (&'static str, &SecretString)> {
        self.values().filter(|(name, _)| *name != "access_key_id")
    }

    /// Remembers what must not be seen.
    pub fn note(&self, mask: &mut Mask) {
        self.secrets().for_each(|(_, value)| mask.note(value));
    }

    /// What may be shown: the last four characters of a value that is longer than 12.
    pub fn hint(&self) -> Option<String> {
        let (_, value) = self.values().next()?;
        let value = value.expose_secret();
        let length = value.chars().count();
        let end = || value.chars().skip(length - 4).collect::<String>();
        Some(format!("…{}", if length > SHOWN_BEYOND { end() } else { String::new() }))
    }

    pub fn write(&self) -> Result<SecretString> {
        serde_json::to_string(self)
            .map(SecretString::from)
            .map_err(|_| Error::internal("a provider's key cannot be written"))
    }

    pub fn read(secret: &SecretString) -> Result<Self> {
        // Without serde's reason, which could quote a part of a value.
        let damaged = || Error::internal("a provider key's secret cannot be read");
        let stored: Stored = serde_json::from_str(secret.expose_secret()).map_err(|_| damaged())?;
        let Stored { api_key, access_key_id, secret_access_key, session_token } = stored;
        Self::of(api_key, access_key_id, secret_access_key, session_token).ok_or_else(damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_whole_or_none() {
        let some = || Some(SecretString::from("x"));
        assert!(matches!(Credential::of(None, None, None, None), Some(Credential::None)));
        assert!(matches!(Credential::of(some(), None, None, None), Some(Credential::ApiKey(_))));
        assert!(matches!(Credential::of(None, some(), some(), None), Some(Credential::Aws { .. })));
        assert!(Credential::of(some(), some(), some(), None).is_none());
        assert!(Credential::of(None, some(), None, None).is_none());
        assert!(Credential::of(None, None, None, some()).is_none());
    }

    #[test]
    fn a_credential_reads_back_and_shows_its_end_only() {
        let key = Credential::ApiKey("sk-1234567890".into());
        let read = Credential::read(&key.write().unwrap()).unwrap();
        assert_eq!(read.hint().as_deref(), Some("…7890"));
        assert_eq!(Credential::ApiKey("short".into()).hint().as_deref(), Some("…"));
        assert!(!format!("{key:?}").contains("7890"));
        let aws = Credential::Aws {
            access_key_id: "AKIDEXAMPLE12345".into(),
            secret_access_key: "secret".into(),
            session_token: None,
        };
        assert!(matches!(Credential::read(&aws.write().unwrap()).unwrap(), Credential::Aws { .. }));
    }
}
