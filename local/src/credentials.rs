//! What a person or a script needs to use the process: a workspace, a token, and the file that names them.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rand::TryRng;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use shared::services::auth::PlainToken;
use shared::services::workspaces;
use shared::types::error::Error;
use shared::types::error::ErrorCode;
use shared::types::ids::{PatId, Place};
use shared::{AppState, Result};

use crate::secrets::FileSecrets;

/// The names in the secret store.
pub(crate) const OPERATOR: &str = "operator-token";
pub(crate) const TOKEN_KEY: &str = "token-key";
/// What the names of tenants' secrets begin with.
pub(crate) const SECRET_PREFIX: &str = "agentruntime";
/// The deployment's own keys of model providers.
pub(crate) const LLM_SYSTEM_KEYS: &str = "llm-system-keys";
const FIRST_TOKEN: &str = "first-token";

/// `credentials.json`.
#[derive(Serialize)]
pub struct Credentials {
    /// Where the process answers.
    pub base_url: String,
    /// The first workspace.
    pub tenant_id: String,
    /// Its project.
    pub project_id: String,
    /// A token of a tenant admin there.
    pub token: String,
    /// Opens further workspaces.
    pub operator_token: String,
}

impl std::fmt::Debug for Credentials {
    /// Without the tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// Makes what a deployment's template would make: the operator token and the key for hashing tokens.
pub(crate) async fn ensure_secrets(secrets: &FileSecrets) -> Result<()> {
    for name in [OPERATOR, TOKEN_KEY] {
        if secrets.get(name).await.map_err(failed)?.is_none() {
            secrets.put(name, random(name)?).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// Keeps the file with the deployment's keys of model providers, in place of that of an earlier start.
pub(crate) async fn put_llm_system_keys(secrets: &FileSecrets, file: &Path) -> Result<()> {
    let named = |error: std::io::Error| Error::internal(format!("{}: {error}", file.display()));
    let keys = std::fs::read_to_string(file).map_err(named)?;
    secrets.put(LLM_SYSTEM_KEYS, keys.into()).await.map_err(failed)
}

/// The first workspace, opened at the first start and found again at every other.
pub(crate) async fn ensure_workspace(
    state: &AppState,
    secrets: &FileSecrets,
    base_url: &str,
) -> Result<Credentials> {
    let token = match secrets.get(FIRST_TOKEN).await.map_err(failed)? {
        Some(text) => PlainToken::parse(text.expose_secret()),
        None => None,
    };
    let token = match token {
        Some(token) => token,
        None => {
            let token = PlainToken::generate(PatId::new(state.clock.now()))?;
            // Kept before the workspace is, so that a crash between the two does not lose the only token.
            secrets.put(FIRST_TOKEN, token.reveal().to_owned().into()).await.map_err(failed)?;
            token
        }
    };
    let slug = |text: &str| Error::internal(format!("{text} is no slug"));
    let place = Place {
        tenant_id: "local".parse().map_err(|_| slug("local"))?,
        project_id: "default".parse().map_err(|_| slug("default"))?,
    };
    match workspaces::open(state, "Local", &place, &token).await {
        Ok(()) => {}
        Err(error) if error.code == ErrorCode::SlugInUse => {}
        Err(error) => return Err(error),
    }
    let operator = secrets.get(OPERATOR).await.map_err(failed)?;
    Ok(Credentials {
        base_url: base_url.to_owned(),
        tenant_id: place.tenant_id.to_string(),
        project_id: place.project_id.to_string(),
        token: token.reveal().to_owned(),
        operator_token: operator.map(|secret| secret.expose_secret().to_owned()).unwrap_or_default(),
    })
}

impl Credentials {
    /// Writes the file, readable by its owner only.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let partial = path.with_extension("json.new");
        let _ = std::fs::remove_file(&partial);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.write_all(b"\n")?;
        std::fs::rename(partial, path)
    }
}

fn random(prefix: &str) -> Result<SecretString> {
    let mut bytes = [0_u8; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).map_err(failed)?;
    Ok(format!("{prefix}_{}", shared::types::text::hex(&bytes)).into())
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::unavailable("The secret store", error.to_string())
}
