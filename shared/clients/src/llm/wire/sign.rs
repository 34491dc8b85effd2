//! Requests to Bedrock signed with keys of an AWS account (Signature Version 4): a project's own, or those of the
//! environment's role.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign as signed};
use aws_sigv4::sign::v4;
use secrecy::ExposeSecret;

use crate::llm::credential::Credential;
use platform::aws;
use platform::secrets::Mask;
use types::clock::Clock;

/// Signs a request, unless a key stands in it.
pub(super) async fn sign(
    clock: &Clock,
    request: &mut http::Request<Vec<u8>>,
    credential: &Credential,
    region: &str,
    mask: &mut Mask,
) -> Result<(), String> {
    let credentials = match credential {
        Credential::None | Credential::ApiKey(_) => return Ok(()),
        Credential::Aws { access_key_id, secret_access_key, session_token } => {
            let mut keys = Credentials::builder()
                .access_key_id(access_key_id.expose_secret())
                .secret_access_key(secret_access_key.expose_secret())
                .provider_name("llm-key");
            keys.set_session_token(session_token.as_ref().map(|token| token.expose_secret().to_owned()));
            keys.build()
        }
        Credential::Role => aws::credentials().ok_or("the deployment has no credentials of AWS")?,
    };
    // AWS quotes what it expected to be signed, and with it the token of a session.
    mask.note(&credentials.secret_access_key().into());
    if let Some(token) = credentials.session_token() {
        mask.note(&token.into());
    }
    let since = Duration::from_millis(u64::try_from(clock.now().as_millis()).unwrap_or(0));
    apply(request, credentials, region, SystemTime::UNIX_EPOCH + since)
}

fn apply(
    request: &mut http::Request<Vec<u8>>,
    credentials: Credentials,
    region: &str,
    time: SystemTime,
) -> Result<(), String> {
    let unsigned = |_| "the request cannot be signed".to_owned();
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("bedrock")
        .time(time)
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| "the request cannot be signed".to_owned())?
        .into();
    let uri = request.uri().to_string();
    let headers = [("content-type", "application/json")].into_iter();
    let signable =
        SignableRequest::new("POST", uri, headers, SignableBody::Bytes(request.body())).map_err(unsigned)?;
    let (instructions, _) = signed(signable, &params).map_err(unsigned)?.into_parts();
    instructions.apply_to_request_http1x(request);
    Ok(())
}
