//! The keys of a project and the deployment's as callers manage and see them, and what a model's name comes to.

use secrecy::{ExposeSecret, SecretString};

use super::keys::{self, Access};
use super::resolve::{Asked, resolve};
use super::view::{KeyView, ResolvedView};
use crate::connection::CredentialWarning;
use crate::state::AppState;
use clients::llm::Credential;
use platform::boxed;
use platform::secrets::is_short;
use store::{Listed, LlmKeyRecord};
use types::ids::{LlmKeyId, Place};
use types::{Error, Result};
use workflow::model::Provider;
use workflow::steps::CredentialScope;

/// Where and with what a provider is called, as a caller gives it.
#[derive(Debug, Default)]
pub struct GivenAccess {
    /// The key.
    pub api_key: Option<SecretString>,
    /// For Bedrock instead: the id of an access key.
    pub access_key_id: Option<SecretString>,
    /// The access key.
    pub secret_access_key: Option<SecretString>,
    /// With temporary access keys.
    pub session_token: Option<SecretString>,
    /// Where the provider answers.
    pub base_url: Option<String>,
    /// Bedrock's region.
    pub region: Option<String>,
    /// OpenAI's organization.
    pub organization: Option<String>,
}

impl GivenAccess {
    fn access(self) -> Result<Access> {
        let credential =
            Credential::of(self.api_key, self.access_key_id, self.secret_access_key, self.session_token);
        let credential = credential.ok_or_else(|| {
            Error::invalid(
                "Give either api_key, or access_key_id and secret_access_key (with session_token, if they are \
                 temporary).",
            )
        })?;
        Ok(Access {
            base_url: self.base_url,
            region: self.region,
            organization: self.organization,
            credential,
        })
    }
}

/// A key to keep; its name was checked.
#[derive(Debug)]
pub struct GivenKey {
    /// Whose models it is for.
    pub provider: Provider,
    /// Its name.
    pub name: String,
    /// Whether steps that name no key use it, rather than the one that they used before.
    pub is_default: bool,
    /// Where and with what.
    pub access: GivenAccess,
}

/// Makes a key.
///
/// # Errors
/// Invalid when the values are no whole; else as [`keys::create`].
#[boxed]
pub async fn create(state: &AppState, place: &Place, new: GivenKey) -> Result<KeyView> {
    let access = new.access.access()?;
    let warnings = warnings(&access.credential);
    let new = keys::NewKey { provider: new.provider, name: new.name, is_default: new.is_default, access };
    let record = keys::create(state, place, new).await?;
    Ok(among_all(state, place, record).await?.warning(warnings))
}

/// What whoever keeps these values should know.
fn warnings(credential: &Credential) -> Vec<CredentialWarning> {
    let short = credential.secrets().filter(|(_, value)| is_short(value.expose_secret()));
    short.map(|(name, _)| CredentialWarning::short(name)).collect()
}

/// Puts other values in place of a key's.
///
/// # Errors
/// Invalid when the values are no whole; else as [`keys::rotate`].
#[boxed]
pub async fn rotate(state: &AppState, place: &Place, id: LlmKeyId, given: GivenAccess) -> Result<KeyView> {
    let access = given.access()?;
    let warnings = warnings(&access.credential);
    let record = keys::rotate(state, place, id, access).await?;
    Ok(among_all(state, place, record).await?.warning(warnings))
}

/// Changes what a key is called, and lets steps that name no key use it.
///
/// # Errors
/// As [`keys::change`].
#[boxed]
pub async fn change(
    state: &AppState,
    place: &Place,
    id: LlmKeyId,
    name: Option<&str>,
    is_default: Option<bool>,
) -> Result<KeyView> {
    let record = keys::change(state, place, id, name, is_default).await?;
    among_all(state, place, record).await
}

/// A key, and whether it is the one of its provider that steps use.
async fn among_all(state: &AppState, place: &Place, record: LlmKeyRecord) -> Result<KeyView> {
    let all = state.store.llm_keys(place).await?;
    Ok(KeyView::new(record, &all))
}

/// The project's keys, newest first, and then the deployment's; only those of one of them with a `scope`. They go on
/// after the key with the id `after`.
///
/// # Errors
/// Invalid when there is no key with the id `after`; unavailable when a store does not answer.
#[boxed]
pub async fn list(
    state: &AppState,
    place: &Place,
    scope: Option<CredentialScope>,
    limit: usize,
    after: Option<&str>,
) -> Result<Listed<KeyView>> {
    let mut keys = Vec::new();
    if scope != Some(CredentialScope::System) {
        let all = state.store.llm_keys(place).await?;
        keys.extend(all.iter().map(|record| KeyView::new(record.clone(), &all)));
    }
    if scope != Some(CredentialScope::Tenant) {
        keys.extend(state.system_keys.all(&state.secrets).await?.values().map(KeyView::of_system));
    }
    // There are at most fifty, and a handful of the deployment's: the whole list is read for any page.
    let begin = match after {
        None => 0,
        Some(id) => {
            let last = keys.iter().position(|key| key.id == id);
            last.ok_or_else(|| Error::invalid("cursor: is not one of this list's, or its key is gone."))? + 1
        }
    };
    let mut rows = keys.split_off(begin);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|key| key.id.clone());
    Ok(Listed { rows, next })
}

/// What a step with these fields would call, by the keys as they are now.
///
/// # Errors
/// As [`resolve`].
#[boxed]
pub async fn resolved(state: &AppState, place: &Place, asked: &Asked<'_>) -> Result<ResolvedView> {
    // What another environment has changed since is to be seen.
    state.llm_keys.forget(place);
    resolve(state, place, asked).await.map(ResolvedView::from)
}
