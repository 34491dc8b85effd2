//! Which of a connection's values are secrets, so that what comes from outside is masked of them and of nothing else:
//! passwords, tokens and keys are, user names, regions and ids of accounts are not. What is inside of a value is a secret
//! as well: the password of a data source name, the token of an `Authorization` header, the keys of a JSON document, and
//! `user:password` in Base64.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use platform::outbound_http::Url;
use platform::secrets::{MIN_LENGTH, is_short};
use store::service::Service;

/// Parts of names that make a field a secret, whatever else is in its name.
const SECRET: [&str; 16] = [
    "secret",
    "token",
    "pass",
    "pwd",
    "private",
    "credential",
    "session",
    "cookie",
    "signature",
    "bearer",
    "jwt",
    "key",
    "sig",
    "sas",
    "pin",
    "otp",
];
/// Last words of names of fields that are no secrets.
const PUBLIC: [&str; 38] = [
    "account",
    "audience",
    "bucket",
    "cluster",
    "company",
    "database",
    "db",
    "dbname",
    "domain",
    "email",
    "endpoint",
    "env",
    "environment",
    "host",
    "hostname",
    "id",
    "issuer",
    "locale",
    "login",
    "name",
    "namespace",
    "org",
    "organization",
    "port",
    "project",
    "region",
    "role",
    "schema",
    "scope",
    "scopes",
    "server",
    "site",
    "subdomain",
    "tenant",
    "type",
    "user",
    "username",
    "zone",
];
/// Last words of names of fields that are addresses, which may hold a password.
const ADDRESS: [&str; 5] = ["dsn", "uri", "url", "string", "address"];
/// How headers begin that prove who somebody is.
const SCHEMES: [&str; 6] = ["basic", "bearer", "token", "apikey", "digest", "key"];

/// What a field of a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Secret,
    /// Only the secrets that stand in it.
    Address,
    Public,
}

/// The words of a name: `X-Api-Key`, `accountId` and `ACCOUNT_ID`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || was_small && c.is_ascii_uppercase() {
            words.push(String::new());
        }
        was_small = c.is_ascii_lowercase() || c.is_ascii_digit();
        if c.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn field(service: Service, name: &str) -> Field {
    let words = words(name);
    let last = words.last().map_or("", String::as_str);
    // The id or name of a key is none, but a secret's id may open it.
    let names_key = matches!(last, "id" | "name")
        && !words.iter().any(|word| word.contains("secret") || word.contains("session"));
    let is_secret = |word: &String| match word.as_str() {
        // As words, and not in others: `keyspace`, `pinned`, `signed`.
        "key" | "keys" | "pin" | "otp" | "sig" | "sas" => true,
        word if word.len() > 3 => {
            SECRET.iter().any(|part| part.len() > 3 && word.contains(part)) || word.ends_with("key")
        }
        word => SECRET.contains(&word),
    };
    if words.iter().any(is_secret) && !names_key {
        return Field::Secret;
    }
    match last {
        last if ADDRESS.contains(&last) => Field::Address,
        last if PUBLIC.contains(&last) => Field::Public,
        _ if service == Service::Dsn && name == "dsn" => Field::Address,
        _ => Field::Secret,
    }
}

/// Whether a field of this name is a secret, or may hold one.
pub(super) fn is_secret(service: Service, name: &str) -> bool {
    field(service, name) != Field::Public
}

/// The secrets among the values of a connection, each with the name of its field.
pub(super) fn secrets<'a>(service: Service, values: &[(&'a str, &str)]) -> Vec<(&'a str, String)> {
    let mut all = Vec::new();
    for (name, value) in values {
        let mut parts = match field(service, name) {
            Field::Secret => {
                let mut parts = inside(value);
                parts.push((*value).to_owned());
                parts
            }
            Field::Address => {
                let mut parts = in_address(value);
                // Nothing of it is known to be the secret, or that is too short to be found alone.
                let is_plain =
                    Url::parse(value).is_ok_and(|url| url.query().is_none() && url.username().is_empty());
                let is_whole_secret = match parts.is_empty() {
                    true => service == Service::Dsn && !is_plain,
                    false => parts.iter().any(|part| is_short(part)),
                };
                if is_whole_secret {
                    parts.push((*value).to_owned());
                }
                parts
            }
            Field::Public => in_address(value),
        };
        parts.sort();
        parts.dedup();
        all.extend(parts.into_iter().map(|part| (*name, part)));
    }
    all.extend(pairs(values));
    all
}

/// `user:password` in Base64, as it stands in a header.
fn pairs<'a>(values: &[(&'a str, &str)]) -> Vec<(&'a str, String)> {
    let get = |names: &[&str]| names.iter().find_map(|wanted| values.iter().find(|(name, _)| name == wanted));
    let mut all = Vec::new();
    for (users, passwords) in [
        (
            &["username", "user", "login", "email"][..],
            &["password", "pass", "token", "api_token", "api_key"][..],
        ),
        (&["client_id"], &["client_secret"]),
    ] {
        if let (Some((_, user)), Some((name, password))) = (get(users), get(passwords)) {
            let pair = format!("{user}:{password}");
            all.push((*name, STANDARD_NO_PAD.encode(&pair)));
            all.push((*name, URL_SAFE_NO_PAD.encode(&pair)));
        }
    }
    all.dedup();
    all
}

/// The secrets inside of a secret value.
fn inside(value: &str) -> Vec<String> {
    if let Some((scheme, rest)) = value.split_once(' ')
        && SCHEMES.contains(&scheme.to_ascii_lowercase().as_str())
    {
        let rest = rest.trim();
        let mut parts = vec![rest.to_owned()];
        if scheme.eq_ignore_ascii_case("basic")
            && let Ok(pair) = STANDARD_NO_PAD.decode(rest.trim_end_matches('='))
            && let Ok(pair) = String::from_utf8(pair)
            && let Some((_, password)) = pair.split_once(':')
        {
            parts.push(password.to_owned());
        }
        return parts;
    }
    if value.starts_with('{')
        && let Ok(document) = serde_json::from_str::<Value>(value)
    {
        let mut parts = Vec::new();
        in_document(&document, "", &mut parts);
        return parts;
    }
    let mut parts = in_address(value);
    // `session=…; csrf=…`
    let pairs = value.split(';').filter_map(|pair| pair.split_once('='));
    parts.extend(pairs.map(|(_, part)| part.trim().to_owned()).filter(|part| part.len() >= MIN_LENGTH * 2));
    parts
}

/// The texts of a document whose names say that they are secrets.
fn in_document(value: &Value, name: &str, parts: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| in_document(value, name, parts)),
        Value::Array(items) => items.iter().for_each(|item| in_document(item, name, parts)),
        Value::String(text) if !text.trim().is_empty() && names_secret(name) => {
            parts.push(text.trim().to_owned());
        }
        _ => {}
    }
}

/// Whether a name says so itself; one that is not known is none.
fn names_secret(name: &str) -> bool {
    field(Service::Custom, name) == Field::Secret
        && words(name).iter().any(|word| SECRET.iter().any(|part| word.contains(part)))
}

/// The passwords of an address or data source name, as they stand in it and as they are meant.
fn in_address(value: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut push = |part: &str| {
        let part = part.trim().trim_matches(['"', '\'']);
        let meant = percent_decode_str(part).decode_utf8_lossy().into_owned();
        parts.extend([part.to_owned(), meant].into_iter().filter(|part| !part.is_empty()));
    };
    if let Some((_, rest)) = value.split_once("://") {
        let parsed = Url::parse(value).ok();
        match parsed.as_ref().and_then(Url::password) {
            Some(password) => push(password),
            // A password with a slash in it, or more hosts than one.
            None => {
                let userinfo = rest.rsplit_once('@').map(|(userinfo, _)| userinfo);
                if let Some((_, password)) = userinfo.and_then(|userinfo| userinfo.split_once(':')) {
                    push(password);
                }
            }
        }
        let query = rest.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split(['&', '#']).filter_map(|pair| pair.split_once('='));
        pairs.filter(|(name, _)| names_secret(name)).for_each(|(_, part)| push(part));
        return parts;
    }
    // `Server=…;Password=…`, `host=… password='…'`
    let separator = if value.contains(';') { ';' } else { ' ' };
    let pairs = value.split(separator).filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| names_secret(name)).for_each(|(_, part)| push(part));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(service: Service, values: &[(&str, &str)]) -> Vec<String> {
        let mut found: Vec<String> = secrets(service, values).into_iter().map(|(_, secret)| secret).collect();
        found.sort();
        found.dedup();
        found
    }

    #[test]
    fn names_tell_secrets_from_user_names_regions_and_ids() {
        for name in [
            "api_key",
            "X-Api-Key",
            "apiKey",
            "token",
            "access_token",
            "password",
            "client_secret",
            "secret_id",
            "pin",
            "private_key",
            "sessionId",
            "Authorization",
            "secretAccessKey",
            "passphrase",
            "webhook",
            "AccountKey",
            "apikey",
        ] {
            assert!(is_secret(Service::Custom, name), "{name}");
        }
        for name in [
            "username",
            "user",
            "User-Name",
            "region",
            "AWS_REGION",
            "account_id",
            "accountId",
            "X-Account-Id",
            "client_id",
            "key_id",
            "access_key_id",
            "email",
            "host",
            "port",
            "project",
            "organization",
            "environment",
            "database",
        ] {
            assert!(!is_secret(Service::Custom, name), "{name}");
        }
    }

    #[test]
    fn secrets_inside_of_values_are_found() {
        let dsn = |dsn: &str| of(Service::Dsn, &[("dsn", dsn)]);
        assert_eq!(dsn("postgres://app:hunter2-hunter2@db:5432/x"), ["hunter2-hunter2"]);
        assert_eq!(dsn("postgres://app:p%40ssword1@db/x"), ["p%40ssword1", "p@ssword1"]);
        assert_eq!(dsn("mongodb://u:long-password@a:1,b:2/x"), ["long-password"]);
        assert_eq!(dsn("Server=db;User Id=app;Password='long-password';"), ["long-password"]);
        assert_eq!(dsn("host=db user=app password=long-password"), ["long-password"]);
        assert_eq!(dsn("https://example.com/x?token=abcdefghij&user=app"), ["abcdefghij"]);
        // Too short to be found alone, or not known to be there.
        assert_eq!(dsn("postgres://app:pw@db/x"), ["postgres://app:pw@db/x", "pw"]);
        assert_eq!(dsn("opaque-data-source"), ["opaque-data-source"]);
        assert_eq!(dsn("redis://cache:6379/0"), Vec::<String>::new());
        let custom = |name: &str, value: &str| of(Service::Custom, &[(name, value)]);
        assert_eq!(custom("Authorization", "Bearer abcdefghijk"), ["Bearer abcdefghijk", "abcdefghijk"]);
        assert_eq!(
            custom("Authorization", "Basic dTpodW50ZXIyLTI="),
            ["Basic dTpodW50ZXIyLTI=", "dTpodW50ZXIyLTI=", "hunter2-2"]
        );
        let document = r#"{"type":"service_account","private_key":"-----BEGIN","client_email":"a@b"}"#;
        assert_eq!(custom("key", document), ["-----BEGIN", document]);
        assert_eq!(custom("base_url", "https://example.com/v1"), Vec::<String>::new());
        assert_eq!(custom("base_url", "https://u:long-password@example.com"), ["long-password"]);
        assert_eq!(
            of(Service::Basic, &[("username", "admin"), ("password", "pw1")]),
            ["YWRtaW46cHcx", "pw1"]
        );
    }
}
