//! Reading and building items: attribute values as Rust types, and large values spread over rows.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde_dynamo::aws_sdk_dynamodb_1::to_item;

use super::keys::{self, Key, PK};
use super::{StoreError, blob};
use types::form::FORM;

/// An item as the SDK gives it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The attribute that holds a value, or a part of one.
pub(super) const BODY: &str = "body";

/// The attribute, and the member of a message, that says the form.
const FORM_NAME: &str = "v";

/// A row that says in which form it is.
pub(super) fn formed(mut row: Item) -> Item {
    row.insert(FORM_NAME.to_owned(), n(FORM));
    row
}

/// Whether a row is in a form that this program knows; those that do not say are in the first.
pub(super) fn check_form(row: &Item) -> Result<(), StoreError> {
    match row.contains_key(FORM_NAME).then(|| number(row, FORM_NAME)).transpose()? {
        Some(form) if form > u64::from(FORM) => Err(StoreError::Newer(form)),
        _ => Ok(()),
    }
}

pub(super) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn n(number: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(super) const fn no() -> AttributeValue {
    AttributeValue::Bool(false)
}

pub(super) fn b(bytes: Vec<u8>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

pub(super) fn text<'a>(item: &'a Item, name: &str) -> Result<&'a str, StoreError> {
    item.get(name)
        .and_then(|value| value.as_s().ok())
        .map(String::as_str)
        .ok_or_else(|| StoreError::Corrupt(format!("an item without text in {name}").into()))
}

pub(super) fn number(item: &Item, name: &str) -> Result<u64, StoreError> {
    item.get(name)
        .and_then(|value| value.as_n().ok())
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| StoreError::Corrupt(format!("an item without a number in {name}").into()))
}

pub(super) fn bytes<'a>(item: &'a Item, name: &str) -> Result<&'a [u8], StoreError> {
    item.get(name)
        .and_then(|value| value.as_b().ok())
        .map(AsRef::as_ref)
        .ok_or_else(|| StoreError::Corrupt(format!("an item without bytes in {name}").into()))
}

/// The rows of a value that is too large for its owner's row.
pub(super) fn chunks(pk: &str, prefix: &str, bytes: &[u8]) -> Vec<Item> {
    bytes
        .chunks(blob::LARGEST_CHUNK)
        .enumerate()
        .map(|(number, part)| {
            let mut item = Key { pk: pk.to_owned(), sk: keys::chunk(prefix, number) }.into_map();
            item.insert(BODY.to_owned(), b(part.to_vec()));
            item
        })
        .collect()
}

/// A row with this key and the fields of `value`.
pub(super) fn with_key(key: Key, value: &impl Serialize) -> Result<Item, StoreError> {
    let mut item: Item = to_item(value).map_err(|error| StoreError::Corrupt(error.into()))?;
    item.extend(key.into_map());
    Ok(item)
}

/// The condition under which a row may be made: there is none, or the same request has made it before (`made_by`;
/// `request` is a reserved word of DynamoDB).
pub(super) fn unless_of_another(request: Option<&str>) -> (String, Vec<(&'static str, AttributeValue)>) {
    let condition = format!("attribute_not_exists({PK})");
    match request {
        None => (condition, Vec::new()),
        Some(request) => (format!("{condition} OR made_by = :made_by"), vec![(":made_by", s(request))]),
    }
}
