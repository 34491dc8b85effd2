//! The keys of projects for providers of models. A key's row says what it is for; its values lie in the secret store
//! under the kind `llm-key`, and [`secrets::custody`](platform::secrets) keeps the two together.
//!
//! Where a key is sent is part of it: `base_url` changes only together with the values, so that nobody who cannot
//! see a key can have it sent to themselves.

use secrecy::ExposeSecret;

use crate::custody::{Deposit, deposit, destroy};
use crate::state::AppState;
use clients::llm::Credential;
use platform::boxed;
use platform::secrets::SecretKind;
use store::{LlmKeyRecord, MOST_LLM_KEYS, StoreError};
use types::ids::{LlmKeyId, Place};
use types::{Error, Result, text};
use workflow::model::Provider;

/// How often a change is tried while others change the same key.
const MOST_TRIES: usize = 5;
/// The most bytes of a value.
const LARGEST_VALUE: usize = 8 * 1024;

/// Where and with what a provider is called; its texts were checked.
#[derive(Debug)]
pub struct Access {
    /// Where the provider answers, when that is not its usual place.
    pub base_url: Option<String>,
    /// Bedrock's region.
    pub region: Option<String>,
    /// OpenAI's organization.
    pub organization: Option<String>,
    /// The values.
    pub credential: Credential,
}

impl Access {
    /// As it is kept, when a provider can be called like this: its texts without blanks and line breaks around.
    ///
    /// # Errors
    /// Invalid, naming the field, never a value.
    pub fn checked(self, state: &AppState, provider: Provider) -> Result<Self> {
        let plain = |field: &str, value: Option<String>| match value.as_deref().map(text::trimmed) {
            Some("") => Err(Error::invalid(format!("{field}: must not be empty or blank."))),
            value => Ok(value.map(str::to_owned)),
        };
        let access = Self {
            base_url: self.base_url.map(|url| base_url(state, &url)).transpose()?,
            region: plain("region", self.region)?,
            organization: plain("organization", self.organization)?,
            credential: self.credential,
        };
        access.check(provider)?;
        Ok(access)
    }

    fn check(&self, provider: Provider) -> Result<()> {
        let invalid = |message: String| Err(Error::invalid(message));
        let title = provider.title();
        for (name, value) in self.credential.values() {
            let value = text::credential(name, value.expose_secret())?;
            if value.len() > LARGEST_VALUE || !value.chars().all(|c| c.is_ascii_graphic()) {
                return invalid(format!(
                    "{name}: must have 1 to {LARGEST_VALUE} visible ASCII characters, without blanks between them."
                ));
            }
        }
        match (&self.credential, provider) {
            (Credential::ApiKey(_), _)
            | (Credential::Aws { .. } | Credential::Role, Provider::Bedrock)
            | (Credential::None, Provider::OpenaiCompatible) => {}
            (Credential::Aws { .. } | Credential::Role, _) => {
                return invalid(format!("access_key_id: {title} takes an api_key."));
            }
            (Credential::None, Provider::Bedrock) => {
                return invalid(
                    "api_key: Bedrock takes an api_key, or access_key_id and secret_access_key.".into(),
                );
            }
            (Credential::None, _) => return invalid(format!("api_key: {title} needs one.")),
        }
        if self.base_url.is_none() && provider == Provider::OpenaiCompatible {
            return invalid(
                "base_url: an OpenAI-compatible server needs one, such as https://llm.example.com/v1.".into(),
            );
        }
        self.check_place(provider)
    }

    fn check_place(&self, provider: Provider) -> Result<()> {
        let is_region = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let named = |text: &String| (1..=64).contains(&text.len()) && text.chars().all(plain);
        match (&self.region, provider) {
            (None, Provider::Bedrock) => {
                return Err(Error::invalid("region: Bedrock needs one, such as eu-central-1."));
            }
            (Some(_), other) if other != Provider::Bedrock => {
                return Err(Error::invalid("region: is for bedrock only."));
            }
            (Some(region), _) if !named(region) || !region.chars().all(is_region) => {
                return Err(Error::invalid("region: is no region of AWS, such as eu-central-1."));
            }
            _ => {}
        }
        match (&self.organization, provider) {
            (Some(_), Provider::Anthropic | Provider::Google | Provider::Bedrock) => {
                Err(Error::invalid("organization: is for openai and openai_compatible only."))
            }
            (Some(organization), _) if !named(organization) => {
                Err(Error::invalid("organization: must be 1 to 64 of A-Z a-z 0-9 - and _."))
            }
            _ => Ok(()),
        }
    }
}

/// What is put behind base URLs, and then would stand there twice.
const ENDPOINTS: [&str; 4] = ["/chat/completions", "/v1/messages", "/converse", ":generateContent"];

/// A base URL as it is kept.
fn base_url(state: &AppState, url: &str) -> Result<String> {
    let text = text::url("base_url", url)?;
    let url = state.outbound.url(text).map_err(|error| Error::invalid(format!("base_url: {error}.")))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Error::invalid("base_url: must end with its path; what is behind it is added to that."));
    }
    let path = url.path().trim_end_matches('/');
    match ENDPOINTS.iter().find(|endpoint| path.ends_with(**endpoint)) {
        Some(endpoint) => {
            Err(Error::invalid(format!("base_url: leave out {endpoint}, which is added to it.")))
        }
        None => Ok(text.to_owned()),
    }
}

/// What a new key is made from; its name was checked.
#[derive(Debug)]
pub struct NewKey {
    /// Whose models it is for.
    pub provider: Provider,
    /// Its name.
    pub name: String,
    /// Whether steps that name no key use it, rather than the one that they used before.
    pub is_default: bool,
    /// Where and with what.
    pub access: Access,
}

/// Makes a key.
///
/// # Errors
/// Invalid when the provider could not be called with it, or the project has [`MOST_LLM_KEYS`]; unavailable when a
/// store does not answer, and then nothing was made.
#[boxed]
pub async fn create(state: &AppState, place: &Place, new: NewKey) -> Result<LlmKeyRecord> {
    let access = new.access.checked(state, new.provider)?;
    let now = state.clock.now();
    let id = LlmKeyId::new(now);
    let mut record = LlmKeyRecord {
        id,
        place: place.clone(),
        provider: new.provider,
        name: new.name,
        base_url: access.base_url,
        region: access.region,
        organization: access.organization,
        hint: access.credential.hint(),
        default_since: new.is_default.then_some(now),
        secret: None,
        revision: 1,
        created_at: now,
        updated_at: now,
        rotated_at: None,
    };
    let deposit = keep(state, place, id, &access.credential).await?;
    record.secret = deposit.as_ref().map(|deposit| deposit.secret().version);
    let mut kept = Err(StoreError::Conflict);
    for _ in 0..MOST_TRIES {
        kept = state.store.create_llm_key(&record).await;
        // Two that are made at the same moment meet in the count: one of them tries again.
        if !matches!(kept, Err(StoreError::Conflict)) || is_full(state, place).await? {
            break;
        }
    }
    state.llm_keys.forget(place);
    match kept {
        Ok(()) => Ok(record),
        Err(error) => {
            abandon(state, deposit).await;
            match error {
                StoreError::Conflict if is_full(state, place).await? => Err(Error::invalid(format!(
                    "A project has at most {MOST_LLM_KEYS} keys, and this one has them; delete one first."
                ))),
                other => Err(other.into()),
            }
        }
    }
}

async fn is_full(state: &AppState, place: &Place) -> Result<bool> {
    Ok(state.store.llm_keys(place).await?.len() >= MOST_LLM_KEYS)
}

async fn keep(
    state: &AppState,
    place: &Place,
    id: LlmKeyId,
    credential: &Credential,
) -> Result<Option<Deposit>> {
    match credential {
        Credential::None | Credential::Role => Ok(None),
        Credential::ApiKey(_) | Credential::Aws { .. } => {
            deposit(state, place, SecretKind::LlmKey, id.into(), credential.write()?).await.map(Some)
        }
    }
}

async fn abandon(state: &AppState, deposit: Option<Deposit>) {
    if let Some(deposit) = deposit {
        deposit.abandon(state).await;
    }
}

/// Puts other values in place of a key's. Calls that are under way go on with the old ones.
///
/// # Errors
/// Not found; invalid as in [`create`]; unavailable when a store does not answer, and then nothing was changed.
#[boxed]
pub async fn rotate(state: &AppState, place: &Place, id: LlmKeyId, access: Access) -> Result<LlmKeyRecord> {
    for _ in 0..MOST_TRIES {
        let mut record = find(state, place, id).await?;
        let access = Access {
            base_url: access.base_url.clone().or_else(|| record.base_url.clone()),
            region: access.region.clone().or_else(|| record.region.clone()),
            organization: access.organization.clone().or_else(|| record.organization.clone()),
            credential: access.credential.clone(),
        }
        .checked(state, record.provider)?;
        let before = record.secret_ref();
        let deposit = keep(state, place, id, &access.credential).await?;
        let now = state.clock.now();
        record.secret = deposit.as_ref().map(|deposit| deposit.secret().version);
        record.hint = access.credential.hint();
        record.base_url = access.base_url;
        record.region = access.region;
        record.organization = access.organization;
        record.rotated_at = Some(now);
        record.updated_at = now;
        let saved = state.store.save_llm_key(&mut record, Some(before.as_ref())).await;
        state.llm_keys.forget(place);
        match saved {
            Ok(()) => {
                if let Some(before) = &before {
                    destroy(state, before).await;
                }
                return Ok(record);
            }
            Err(error) => {
                abandon(state, deposit).await;
                if !matches!(error, StoreError::Conflict) {
                    return Err(error.into());
                }
            }
        }
    }
    Err(StoreError::Conflict.into())
}

/// Changes what a key is called, and lets steps that name no key use it.
///
/// # Errors
/// Not found; unavailable when the database does not answer.
#[boxed]
pub async fn change(
    state: &AppState,
    place: &Place,
    id: LlmKeyId,
    name: Option<&str>,
    is_default: Option<bool>,
) -> Result<LlmKeyRecord> {
    for _ in 0..MOST_TRIES {
        let mut record = find(state, place, id).await?;
        let now = state.clock.now();
        if let Some(name) = name {
            name.clone_into(&mut record.name);
        }
        if let Some(is_default) = is_default {
            record.default_since = is_default.then_some(now);
        }
        record.updated_at = now;
        match state.store.save_llm_key(&mut record, None).await {
            Err(StoreError::Conflict) => {}
            saved => {
                state.llm_keys.forget(place);
                return saved.map(|()| record).map_err(Into::into);
            }
        }
    }
    Err(StoreError::Conflict.into())
}

/// Deletes a key. When this returns, nothing can read its values any more but what has read them within a minute;
/// they are destroyed at once, or by a sweep while the secret store does not answer.
///
/// # Errors
/// Not found; unavailable when the database does not answer.
#[boxed]
pub async fn delete(state: &AppState, place: &Place, id: LlmKeyId) -> Result<()> {
    for _ in 0..MOST_TRIES {
        let record = find(state, place, id).await?;
        match state.store.delete_llm_key(&record, state.clock.now()).await {
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
            Ok(()) => {
                state.llm_keys.forget(place);
                if let Some(secret) = record.secret_ref() {
                    destroy(state, &secret).await;
                }
                return Ok(());
            }
        }
    }
    Err(StoreError::Conflict.into())
}

async fn find(state: &AppState, place: &Place, id: LlmKeyId) -> Result<LlmKeyRecord> {
    state.store.llm_key(place, id).await?.ok_or_else(|| Error::not_found("provider key"))
}

/// The key that steps use which name none: the one that was last made the default, else the oldest.
pub fn default_of(keys: &[LlmKeyRecord], provider: Provider) -> Option<&LlmKeyRecord> {
    let of_provider = || keys.iter().filter(|key| key.provider == provider);
    let chosen = of_provider().filter(|key| key.default_since.is_some());
    chosen.max_by_key(|key| key.default_since).or_else(|| of_provider().min_by_key(|key| key.id))
}
