//! JSON values as bytes in rows: compressed when that pays, and cut into rows that DynamoDB takes.

use std::borrow::Cow;
use std::io;
use std::sync::LazyLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

use super::StoreError;

/// DynamoDB takes items of 400 KB; the rest is left for keys and attributes.
pub(crate) const LARGEST_CHUNK: usize = 350 * 1024;
/// Shorter values are not worth the time.
const SMALLEST_COMPRESSED: usize = 200;
/// zstd's fastest ordinary level: rows are written far more often than they are kept.
const LEVEL: i32 = 1;
/// More than any value that the engine writes; a row that claims more is damaged.
const LARGEST_VALUE: usize = 64 * 1024 * 1024;
/// What rows of runs have in common, so that it need not stand in each of them: it halves them. Rows cannot be read
/// without it, so it stays as it is; another would come with a form of its own
/// ([how it was made](../../../docs/decisions/0022-rows-are-compressed-with-a-dictionary.md)).
const DICTIONARY: &[u8] = include_bytes!("blob.dictionary");

static ENCODER: LazyLock<io::Result<EncoderDictionary<'static>>> =
    LazyLock::new(|| EncoderDictionary::try_copy(DICTIONARY, LEVEL));
static DECODER: LazyLock<io::Result<DecoderDictionary<'static>>> =
    LazyLock::new(|| DecoderDictionary::try_copy(DICTIONARY));

const PLAIN: u8 = b'j';
/// Without the dictionary: as rows of forms 1 and 2 are.
const ZSTD: u8 = b'z';
const ZSTD_WITH_DICTIONARY: u8 = b'd';

/// A value's bytes: one byte that tells the form, and JSON, or its length and zstd.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    let mut json = vec![PLAIN];
    serde_json::to_writer(&mut json, value).map_err(|error| StoreError::Corrupt(error.into()))?;
    if json.len() < SMALLEST_COMPRESSED {
        return Ok(json);
    }
    let length = u32::try_from(json.len()).map_err(|_| StoreError::Corrupt("a value of 4 GiB".into()))?;
    let packed = compress(&json[1..]).map_err(|error| StoreError::Corrupt(error.into()))?;
    if packed.len() + 5 >= json.len() {
        return Ok(json);
    }
    let mut bytes = Vec::with_capacity(packed.len() + 5);
    bytes.push(ZSTD_WITH_DICTIONARY);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&packed);
    Ok(bytes)
}

fn compress(json: &[u8]) -> io::Result<Vec<u8>> {
    let dictionary = ENCODER.as_ref().map_err(|error| io::Error::from(error.kind()))?;
    Compressor::with_prepared_dictionary(dictionary)?.compress(json)
}

/// Reads what [`encode`] wrote.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    from_json(&stored_json(bytes)?)
}

/// The JSON of a value as a row holds it, of any form. For tools that look into a table; a value that is cut into rows
/// has to be put together first.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is no such value, or is damaged.
pub fn stored_json(bytes: &[u8]) -> Result<Cow<'_, [u8]>, StoreError> {
    let damaged = |what: &str| StoreError::Corrupt(format!("a stored value {what}").into());
    match bytes.split_first() {
        Some((&PLAIN, json)) => Ok(Cow::Borrowed(json)),
        Some((&form @ (ZSTD | ZSTD_WITH_DICTIONARY), rest)) => {
            let (length, packed) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("is cut off"))?;
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            if length > LARGEST_VALUE {
                return Err(damaged("claims an absurd length"));
            }
            decompress(form, packed, length).map(Cow::Owned).map_err(|error| damaged(&error.to_string()))
        }
        _ => Err(damaged("has an unknown form")),
    }
}

fn decompress(form: u8, packed: &[u8], length: usize) -> io::Result<Vec<u8>> {
    if form == ZSTD {
        return zstd::bulk::decompress(packed, length);
    }
    let dictionary = DECODER.as_ref().map_err(|error| io::Error::from(error.kind()))?;
    Decompressor::with_prepared_dictionary(dictionary)?.decompress(packed, length)
}

/// Without the parser's limit on nesting: requests and scripts may nest values up to it, and the rows around
/// them add a few levels more.
fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, StoreError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    deserializer.disable_recursion_limit();
    let value = T::deserialize(&mut deserializer);
    let whole = value.and_then(|value| deserializer.end().map(|()| value));
    whole.map_err(|error| StoreError::Corrupt(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn values_come_back_whether_compressed_or_not() {
        for value in [json!({}), json!("x".repeat(100_000)), json!([1, 2.5, null, {"a": [true]}])] {
            let bytes = encode(&value).unwrap();
            assert_eq!(decode::<Value>(&bytes).unwrap(), value);
        }
        assert!(encode(&json!("x".repeat(100_000))).unwrap().len() < 1000);
    }

    #[test]
    fn what_was_compressed_without_the_dictionary_is_read() {
        let value = json!({ "text": "x".repeat(2_000) });
        let json = serde_json::to_vec(&value).unwrap();
        let length = u32::try_from(json.len()).unwrap().to_be_bytes();
        let packed = zstd::bulk::compress(&json, LEVEL).unwrap();
        assert_eq!(decode::<Value>(&[&[ZSTD][..], &length, &packed].concat()).unwrap(), value);
    }

    #[test]
    fn damaged_bytes_are_an_error() {
        let whole = encode(&json!("x".repeat(100_000))).unwrap();
        let absurd = [&[ZSTD_WITH_DICTIONARY, 255, 255, 255, 255][..], &whole[5..]].concat();
        for bytes in [&b""[..], b"?", b"z", b"d", b"d\0\0", b"j{", &whole[..whole.len() - 1], &absurd] {
            assert!(decode::<Value>(bytes).is_err());
        }
    }
}
