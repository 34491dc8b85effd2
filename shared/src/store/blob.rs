//! JSON values as bytes in rows: compressed when that pays, and cut into rows that DynamoDB takes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

/// DynamoDB takes items of 400 KB; the rest is left for keys and attributes.
pub(crate) const LARGEST_CHUNK: usize = 350 * 1024;
/// Below this a row costs one write unit with or without compression.
const SMALLEST_COMPRESSED: usize = 900;
/// zstd's fastest ordinary level: rows are written far more often than they are kept.
const LEVEL: i32 = 1;
/// More than any value that the engine writes; a row that claims more is damaged.
const LARGEST_VALUE: usize = 64 * 1024 * 1024;

const PLAIN: u8 = b'j';
const ZSTD: u8 = b'z';

/// A value's bytes: one byte that tells the form, and JSON, or its length and zstd.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    let mut json = vec![PLAIN];
    serde_json::to_writer(&mut json, value).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    if json.len() < SMALLEST_COMPRESSED {
        return Ok(json);
    }
    let length = u32::try_from(json.len()).map_err(|_| StoreError::Corrupt("a value of 4 GiB".to_owned()))?;
    let packed =
        zstd::bulk::compress(&json[1..], LEVEL).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    if packed.len() + 5 >= json.len() {
        return Ok(json);
    }
    let mut bytes = Vec::with_capacity(packed.len() + 5);
    bytes.push(ZSTD);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&packed);
    Ok(bytes)
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    let damaged = |what: &str| StoreError::Corrupt(format!("a stored value {what}"));
    match bytes.split_first() {
        Some((&PLAIN, json)) => from_json(json),
        Some((&ZSTD, rest)) => {
            let (length, packed) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("is cut off"))?;
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            if length > LARGEST_VALUE {
                return Err(damaged("claims an absurd length"));
            }
            let json = zstd::bulk::decompress(packed, length).map_err(|error| damaged(&error.to_string()))?;
            from_json(&json)
        }
        _ => Err(damaged("has an unknown form")),
    }
}

/// Without the parser's limit on nesting: requests and scripts may nest values up to it, and the rows around
/// them add a few levels more.
fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, StoreError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    deserializer.disable_recursion_limit();
    let value = T::deserialize(&mut deserializer);
    let whole = value.and_then(|value| deserializer.end().map(|()| value));
    whole.map_err(|error| StoreError::Corrupt(error.to_string()))
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
    fn damaged_bytes_are_an_error() {
        let whole = encode(&json!("x".repeat(100_000))).unwrap();
        let absurd = [&[ZSTD, 255, 255, 255, 255][..], &whole[5..]].concat();
        for bytes in [&b""[..], b"?", b"z", b"z\0\0", b"j{", &whole[..whole.len() - 1], &absurd] {
            assert!(decode::<Value>(bytes).is_err());
        }
    }
}
