//! Credentials: names and values in an order, of bounded number and size, as the secret of a connection holds them.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::secret_parts;
use platform::secrets::{MIN_LENGTH, is_short};
use store::service::Service;
use types::clock::Timestamp;
use types::text;
use types::{Error, Result};

/// The most credentials of a connection.
pub const MOST_KEYS: usize = 50;
/// The most characters of a credential's name.
pub const LONGEST_KEY: usize = 64;
/// The most bytes of a credential's value.
pub const LARGEST_VALUE: usize = 16 * 1024;
/// The most bytes of all of them as JSON; the secret store takes 64 KiB.
const LARGEST: usize = 60 * 1024;
/// Values longer than this show their last four characters.
const SHOWN_BEYOND: usize = 12;

/// Changes of credentials as a caller sends them: an object of texts, in its order; null removes one. No error quotes
/// a value.
#[derive(Debug, Default)]
pub struct CredentialChanges(Vec<(String, Option<SecretString>)>);

impl CredentialChanges {
    /// Whether they set each of these keys.
    pub fn sets_all(&self, keys: &[String]) -> bool {
        keys.iter().all(|key| self.0.iter().any(|(name, value)| name == key && value.is_some()))
    }
}

impl<'de> Deserialize<'de> for CredentialChanges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Changes;

        impl<'de> Visitor<'de> for Changes {
            type Value = CredentialChanges;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of names and texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut changes: Vec<(String, Option<SecretString>)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if changes.iter().any(|(other, _)| *other == key) {
                        return Err(A::Error::custom(format!("the key {key:?} stands there twice")));
                    }
                    let value = match value {
                        Value::String(text) => Some(text.into()),
                        Value::Null => None,
                        _ => return Err(A::Error::custom(format!("the value of {key:?} must be a text"))),
                    };
                    changes.push((key, value));
                }
                Ok(CredentialChanges(changes))
            }
        }

        // Whatever else came must not be quoted, as serde's own message would.
        deserializer.deserialize_any(NotQuoted(Changes))
    }
}

/// Refuses everything but a map, without quoting it.
struct NotQuoted<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for NotQuoted<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        self.0.visit_map(map)
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Err(E::custom("must be an object of names and texts"))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Err(E::custom("must be an object of names and texts"))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Err(E::custom("must be an object of names and texts"))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Err(E::custom("must be an object of names and texts"))
    }
}

/// One credential.
#[derive(Debug, Clone)]
struct Credential {
    key: String,
    value: SecretString,
    updated_at: Timestamp,
}

/// The credentials of a connection. They do not print.
#[derive(Debug, Clone, Default)]
pub struct Credentials(Vec<Credential>);

/// What may be shown of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct MaskedCredential {
    /// Its name.
    #[schema(example = "api_key")]
    pub name: String,
    /// How many characters its value has.
    pub length: usize,
    /// The last four characters of a value that is longer than 12.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "9f3c")]
    pub last_four: Option<String>,
    /// Whether it is a secret, or holds one, which is masked in answers of servers. User names, regions and ids of accounts
    /// are none.
    pub secret: bool,
    /// When it was last set.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// What whoever keeps a credential should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CredentialWarning {
    /// Its name.
    #[schema(example = "password")]
    pub name: String,
    /// What is to be known.
    pub message: String,
}

impl CredentialWarning {
    /// Of a secret that is too short to be found in other texts.
    pub(crate) fn short(name: &str) -> Self {
        let message = format!(
            "This secret has fewer than {MIN_LENGTH} characters: in what servers answer it is masked only where a text is \
             nothing else. Use a longer one where you can."
        );
        Self { name: name.to_owned(), message }
    }
}

impl Credentials {
    /// Their names, in their order.
    pub fn keys(&self) -> Vec<String> {
        self.0.iter().map(|each| each.key.clone()).collect()
    }

    /// The value of this name.
    pub fn get(&self, key: &str) -> Option<&SecretString> {
        self.0.iter().find(|each| each.key == key).map(|each| &each.value)
    }

    /// The first of them in their order: what a server gets that takes one token.
    pub fn first(&self) -> Option<&SecretString> {
        self.0.first().map(|each| &each.value)
    }

    /// What of them must not be seen, wherever it turns up.
    pub fn secrets(&self, service: Service) -> impl Iterator<Item = SecretString> {
        secret_parts::secrets(service, &self.pairs()).into_iter().map(|(_, secret)| secret.into())
    }

    /// What whoever keeps them should know.
    pub fn warnings(&self, service: Service) -> Vec<CredentialWarning> {
        let pairs = self.pairs();
        let secrets = secret_parts::secrets(service, &pairs);
        let has_short = |name: &str| secrets.iter().any(|(other, secret)| *other == name && is_short(secret));
        let short = pairs.iter().filter(|(name, _)| has_short(name));
        short.map(|(name, _)| CredentialWarning::short(name)).collect()
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|each| (each.key.as_str(), each.value.expose_secret())).collect()
    }

    /// Merges changes by key: a text sets one, null removes one. New ones come last.
    ///
    /// # Errors
    /// Invalid, naming the key that is wrong, never a value.
    pub fn merge(&mut self, changes: &CredentialChanges, now: Timestamp) -> Result<()> {
        for (key, value) in &changes.0 {
            check_key(key)?;
            let Some(value) = value else {
                self.0.retain(|each| each.key != *key);
                continue;
            };
            let value = checked_value(key, value.expose_secret())?;
            let credential = Credential { key: key.clone(), value: value.into(), updated_at: now };
            match self.0.iter_mut().find(|each| each.key == *key) {
                Some(known) => *known = credential,
                None => self.0.push(credential),
            }
        }
        Ok(())
    }

    /// Whether they are of a number and size that can be kept, and what a connection of this kind needs.
    ///
    /// # Errors
    /// Invalid, saying what is needed.
    pub fn check(&self, service: Service) -> Result<()> {
        if self.0.is_empty() {
            return Err(Error::invalid("credentials: must have at least one key."));
        }
        if self.0.len() > MOST_KEYS {
            return Err(Error::invalid(format!("credentials: must have at most {MOST_KEYS} keys.")));
        }
        service.check(|key| self.get(key).is_some()).map_err(|needed| {
            Error::invalid(format!(
                "credentials: a connection of the service \"{}\" needs the keys {needed}.",
                service.as_str()
            ))
        })?;
        if self.write()?.expose_secret().len() > LARGEST {
            return Err(Error::invalid("credentials: must be at most 60 KiB together."));
        }
        Ok(())
    }

    /// As the secret holds them.
    ///
    /// # Errors
    /// Internal, when they cannot be written.
    pub fn write(&self) -> Result<SecretString> {
        serde_json::to_string(self)
            .map(SecretString::from)
            .map_err(|_| Error::internal("credentials cannot be written"))
    }

    /// From a secret.
    ///
    /// # Errors
    /// Internal, when the secret is none of ours.
    pub fn read(secret: &SecretString) -> Result<Self> {
        // Without serde's reason, which could quote a part of a value.
        let rows: Vec<(String, String, Timestamp)> = serde_json::from_str(secret.expose_secret())
            .map_err(|_| Error::internal("a connection's secret cannot be read"))?;
        let credential =
            |(key, value, updated_at)| Credential { key, value: String::into(value), updated_at };
        Ok(Self(rows.into_iter().map(credential).collect()))
    }

    /// What may be shown of them.
    pub fn masked(&self, service: Service) -> Vec<MaskedCredential> {
        let mask = |each: &Credential| {
            let value = each.value.expose_secret();
            let length = value.chars().count();
            let last_four =
                (length > SHOWN_BEYOND).then(|| value.chars().skip(length - 4).collect::<String>());
            let secret = secret_parts::is_secret(service, &each.key);
            MaskedCredential {
                name: each.key.clone(),
                length,
                last_four,
                secret,
                updated_at: each.updated_at,
            }
        };
        self.0.iter().map(mask).collect()
    }
}

impl Serialize for Credentials {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.len()))?;
        for each in &self.0 {
            rows.serialize_element(&(&each.key, each.value.expose_secret(), each.updated_at))?;
        }
        rows.end()
    }
}

fn check_key(key: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if key.is_empty() || key.len() > LONGEST_KEY || !key.chars().all(plain) {
        let shown: String = key.chars().take(LONGEST_KEY).collect();
        return Err(Error::invalid(format!(
            "credentials.{shown}: a key has 1 to {LONGEST_KEY} of A-Z a-z 0-9 _ - and '.'."
        )));
    }
    Ok(())
}

/// The value as it is stored: without white space around it.
fn checked_value<'a>(key: &str, value: &'a str) -> Result<&'a str> {
    let field = format!("credentials.{key}");
    let value = text::credential(&field, value)?;
    match value.len() > LARGEST_VALUE {
        false => Ok(value),
        true => Err(Error::invalid(format!(
            "{field}: must have at most {LARGEST_VALUE} bytes, it has {}.",
            value.len()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(json: &str) -> Result<CredentialChanges, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn credentials_keep_their_order_and_are_merged_by_key() {
        let mut credentials = Credentials::default();
        credentials.merge(&changes(r#"{"z":"1","a":"2","m":"3"}"#).unwrap(), at(1)).unwrap();
        credentials.merge(&changes(r#"{"a":null,"n":"4","z":"5"}"#).unwrap(), at(2)).unwrap();
        assert_eq!(credentials.keys(), ["z", "m", "n"]);
        assert_eq!(credentials.first().unwrap().expose_secret(), "5");
        let read = Credentials::read(&credentials.write().unwrap()).unwrap();
        assert_eq!(read.keys(), credentials.keys());
        assert_eq!(read.masked(Service::Custom), credentials.masked(Service::Custom));
        assert_eq!(read.masked(Service::Custom)[0].updated_at, at(2));
        assert_eq!(read.masked(Service::Custom)[1].updated_at, at(1));
    }

    #[test]
    fn only_long_values_show_their_end() {
        let mut credentials = Credentials::default();
        let sent = changes(r#"{"short":"123456789012","long":"1234567890123","wide":"ääääääääääääöüßé"}"#);
        credentials.merge(&sent.unwrap(), at(1)).unwrap();
        let shown: Vec<_> = credentials
            .masked(Service::Custom)
            .into_iter()
            .map(|each| (each.length, each.last_four))
            .collect();
        let expected = [(12, None), (13, Some("0123".to_owned())), (16, Some("öüßé".to_owned()))];
        assert_eq!(shown, expected);
    }

    #[test]
    fn no_error_and_no_debug_output_quotes_a_value() {
        for bad in [
            r#"{"key":12345678}"#,
            r#"{"key":["s3cret-12345678"]}"#,
            r#"{"key":"s3cret-12345678","key":"other"}"#,
            r#""s3cret-12345678""#,
            "12345678",
            "-12345678",
            "12345678.5",
        ] {
            let error = changes(bad).unwrap_err();
            assert!(!error.contains("12345678"), "{error}");
        }
        let mut credentials = Credentials::default();
        let sent = changes(r#"{"key":"s3cret-12345678"}"#).unwrap();
        credentials.merge(&sent, at(1)).unwrap();
        assert!(!format!("{sent:?}{credentials:?}").contains("12345678"));
    }

    #[test]
    fn keys_and_values_are_bounded() {
        let merge = |key: &str, value: &str| {
            let sent = serde_json::json!({ key: value }).to_string();
            Credentials::default().merge(&changes(&sent).unwrap(), at(1)).map_err(|error| error.message)
        };
        assert!(merge(&"k".repeat(LONGEST_KEY), &"v".repeat(LARGEST_VALUE)).is_ok());
        for (key, value) in [
            ("", "v".to_owned()),
            ("two words", "v".to_owned()),
            (&*"k".repeat(LONGEST_KEY + 1), "v".to_owned()),
            ("key", String::new()),
            ("key", "v".repeat(LARGEST_VALUE + 1)),
        ] {
            assert!(merge(key, &value).unwrap_err().starts_with("credentials."));
        }
        let many: serde_json::Map<String, Value> =
            (0..=MOST_KEYS).map(|key| (format!("k{key}"), Value::from("v"))).collect();
        let mut credentials = Credentials::default();
        credentials.merge(&changes(&Value::Object(many).to_string()).unwrap(), at(1)).unwrap();
        assert!(credentials.check(Service::Custom).unwrap_err().message.contains("at most 50"));
        let large: serde_json::Map<String, Value> =
            (0..4).map(|key| (format!("k{key}"), Value::from("v".repeat(LARGEST_VALUE)))).collect();
        let mut credentials = Credentials::default();
        credentials.merge(&changes(&Value::Object(large).to_string()).unwrap(), at(1)).unwrap();
        assert!(credentials.check(Service::Custom).unwrap_err().message.contains("60 KiB"));
    }
}
