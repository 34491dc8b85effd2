//! Kinds of connections, and the credentials that each of them needs.

use serde::{Deserialize, Serialize};

/// What kind of credentials a connection holds. Each kind needs certain keys; others may stand beside them.
///
/// - `api_key`: `api_key`
/// - `bearer_token`: `token`, `bearer_token` or `access_token`
/// - `basic`: `username` and `password`
/// - `dsn`: `dsn`, `url` or `connection_string`
/// - `oauth2`: `access_token`, or `client_id` and `client_secret`
/// - `custom`: any
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// An API key.
    ApiKey,
    /// A bearer token.
    BearerToken,
    /// A user name and a password.
    Basic,
    /// A data source name, which holds everything.
    Dsn,
    /// OAuth 2.0: an access token, or a client that can ask for one.
    Oauth2,
    /// Anything else.
    Custom,
}

impl Service {
    /// The kind as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::BearerToken => "bearer_token",
            Self::Basic => "basic",
            Self::Dsn => "dsn",
            Self::Oauth2 => "oauth2",
            Self::Custom => "custom",
        }
    }

    /// The sets of keys of which one has to be there.
    const fn needs(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::ApiKey => &[&["api_key"]],
            Self::BearerToken => &[&["token"], &["bearer_token"], &["access_token"]],
            Self::Basic => &[&["username", "password"]],
            Self::Dsn => &[&["dsn"], &["url"], &["connection_string"]],
            Self::Oauth2 => &[&["access_token"], &["client_id", "client_secret"]],
            Self::Custom => &[&[]],
        }
    }

    /// Whether these keys are enough; else what is needed, as a phrase.
    pub fn check(self, has: impl Fn(&str) -> bool) -> Result<(), String> {
        if self.needs().iter().any(|set| set.iter().all(|key| has(key))) {
            return Ok(());
        }
        let sets: Vec<String> = self.needs().iter().map(|set| set.join(" and ")).collect();
        Err(sets.join(", or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_needs_one_of_its_sets_of_keys() {
        let check = |service: Service, keys: &[&str]| service.check(|key| keys.contains(&key));
        assert_eq!(check(Service::ApiKey, &["api_key"]), Ok(()));
        assert_eq!(check(Service::ApiKey, &["key"]), Err("api_key".to_owned()));
        assert_eq!(check(Service::BearerToken, &["access_token", "extra"]), Ok(()));
        assert_eq!(check(Service::Basic, &["username"]), Err("username and password".to_owned()));
        assert_eq!(check(Service::Dsn, &[]), Err("dsn, or url, or connection_string".to_owned()));
        assert_eq!(check(Service::Oauth2, &["client_id", "client_secret"]), Ok(()));
        let needed = Err("access_token, or client_id and client_secret".to_owned());
        assert_eq!(check(Service::Oauth2, &["client_id"]), needed);
        assert_eq!(check(Service::Custom, &["anything"]), Ok(()));
    }
}
