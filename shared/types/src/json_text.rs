//! JSON values that stay text: shared, without a node in memory for each of their values. A megabyte of `{"":0}` is a
//! hundred megabytes once it is read into a [`Value`]; as text it is a megabyte, however many hold it.
//!
//! What is needed of such a text is found in it ([`JsonText::find`]), and read alone. What reading it would take is known
//! before ([`cost`](crate::json_cost::cost)).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::json_cost;

/// A JSON value as compact text. Cloning it is cheap.
#[derive(Clone)]
pub struct JsonText(Arc<RawValue>);

impl JsonText {
    /// The text of a value.
    ///
    /// # Errors
    /// When it is no JSON, such as a map whose keys are no texts.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Self> {
        to_raw_value(value).map(|raw| Self(raw.into()))
    }

    /// A text that somebody else has written.
    ///
    /// # Errors
    /// When it is not one JSON value.
    pub fn parse(text: String) -> serde_json::Result<Self> {
        RawValue::from_string(text).map(|raw| Self(raw.into()))
    }

    /// An object of these members, in this order.
    pub fn object<'a>(members: impl IntoIterator<Item = (&'a str, &'a Self)>) -> Self {
        struct Members<I>(std::cell::RefCell<Option<I>>);
        impl<'a, I: Iterator<Item = (&'a str, &'a JsonText)>> Serialize for Members<I> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.borrow_mut().take().into_iter().flatten())
            }
        }
        Self::of(&Members(std::cell::RefCell::new(Some(members.into_iter())))).unwrap_or_default()
    }

    /// An array of these elements.
    pub fn array<'a>(elements: impl IntoIterator<Item = &'a Self>) -> Self {
        Self::of(&elements.into_iter().collect::<Vec<_>>()).unwrap_or_default()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Its length in bytes.
    pub fn bytes(&self) -> usize {
        self.as_str().len()
    }

    /// The bytes of memory that [`Self::to_value`] takes at most.
    pub fn cost(&self) -> usize {
        json_cost::cost(self.as_str().as_bytes())
    }

    /// Reads it. Whoever does that bounds its [cost](Self::cost), or knows that it is small.
    pub fn to_value(&self) -> Value {
        to_value(&self.0)
    }

    /// The object's members as texts of their own; none when it is no object.
    pub fn members(&self) -> Option<BTreeMap<String, Self>> {
        read(&self.0).ok()
    }

    /// The array's elements as texts of their own; none when it is no array.
    pub fn elements(&self) -> Option<Vec<Self>> {
        read(&self.0).ok()
    }

    /// The value at a path: objects by key, arrays by index.
    pub fn at<K: AsRef<str>>(&self, path: &[K]) -> Option<&RawValue> {
        let keys: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
        self.find(&[&keys]).pop().flatten()
    }

    /// The text at a path, if one stands there.
    pub fn text_at(&self, path: &[&str]) -> Option<String> {
        serde_json::from_str(self.at(path)?.get()).ok()
    }

    /// The values at these paths, found in one go.
    pub fn find(&self, paths: &[&[&str]]) -> Vec<Option<&RawValue>> {
        let mut found = vec![None; paths.len()];
        let mut wanted = Wanted::default();
        for (number, path) in paths.iter().enumerate() {
            path.iter().fold(&mut wanted, |node, key| node.below.entry(key).or_default()).here.push(number);
        }
        look(&wanted, &self.0, &mut found);
        found
    }
}

/// Reads a text that is JSON. However deep it nests: scripts and bodies are bounded, and what is put together of them is only a
/// few levels deeper.
fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    deserializer.disable_recursion_limit();
    T::deserialize(&mut deserializer)
}

/// Reads a value. See [`JsonText::to_value`].
pub fn to_value(raw: &RawValue) -> Value {
    read(raw).unwrap_or_default()
}

/// Which values are looked for: the numbers of the paths that end here, and what is looked for below, by key.
#[derive(Default)]
struct Wanted<'p> {
    here: Vec<usize>,
    below: BTreeMap<&'p str, Wanted<'p>>,
}

fn look<'a>(wanted: &Wanted<'_>, raw: &'a RawValue, found: &mut [Option<&'a RawValue>]) {
    for number in &wanted.here {
        found[*number] = Some(raw);
    }
    if wanted.below.is_empty() {
        return;
    }
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    deserializer.disable_recursion_limit();
    // It is JSON: what is not found is not there.
    let _ = deserializer.deserialize_any(Look { wanted, found });
}

/// Goes through a value and takes what is wanted of it.
struct Look<'w, 'p, 'f, 'a> {
    wanted: &'w Wanted<'p>,
    found: &'f mut [Option<&'a RawValue>],
}

impl<'de> DeserializeSeed<'de> for Look<'_, '_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if !self.wanted.here.is_empty() {
            look(self.wanted, <&RawValue>::deserialize(deserializer)?, self.found);
            return Ok(());
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_, '_, '_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = members.next_key()? {
            match self.wanted.below.get(&*key) {
                Some(wanted) => members.next_value_seed(Look { wanted, found: &mut *self.found })?,
                None => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let indices = self.wanted.below.iter().filter_map(|(key, wanted)| Some((index(key)?, wanted)));
        let indices: BTreeMap<usize, &Wanted<'_>> = indices.collect();
        for at in 0.. {
            let more = match indices.get(&at) {
                Some(wanted) => elements.next_element_seed(Look { wanted, found: &mut *self.found })?,
                None => elements.next_element::<IgnoredAny>()?.map(drop),
            };
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

/// A key, without a copy of it unless it has escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// An index as JSON writes numbers: digits, no sign, no leading zero.
pub fn index(key: &str) -> Option<usize> {
    let plain = key == "0" || (!key.starts_with('0') && key.bytes().all(|byte| byte.is_ascii_digit()));
    if plain { key.parse().ok() } else { None }
}

/// Null.
impl Default for JsonText {
    fn default() -> Self {
        Self(RawValue::NULL.to_owned().into())
    }
}

impl From<&Value> for JsonText {
    fn from(value: &Value) -> Self {
        // A value is JSON.
        Self::of(value).unwrap_or_default()
    }
}

impl From<Value> for JsonText {
    fn from(value: Value) -> Self {
        Self::from(&value)
    }
}

impl From<&RawValue> for JsonText {
    fn from(raw: &RawValue) -> Self {
        Self(raw.to_owned().into())
    }
}

impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// Without the value, which may be long.
impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonText({} bytes)", self.bytes())
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(raw.into()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn walk<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
        path.iter().try_fold(value, |value, key| match value {
            Value::Object(map) => map.get(*key),
            Value::Array(items) => items.get(index(key)?),
            _ => None,
        })
    }

    #[test]
    fn paths_lead_where_they_lead_in_a_value() {
        let value =
            json!({ "a": [{ "b": null, "c\"é": [1, 2.5, "x"] }, 7], "": { "": 1 }, "0": { "a": "ü\n" } });
        let text = JsonText::from(&value);
        let paths: [&[&str]; 14] = [
            &[],
            &["a"],
            &["a", "0"],
            &["a", "0", "b"],
            &["a", "0", "c\"é", "2"],
            &["a", "0", "c\"é", "3"],
            &["a", "00"],
            &["a", "1"],
            &["a", "1", "x"],
            &["", ""],
            &["0", "a"],
            &["0", "a", "0"],
            &["nope"],
            &["a", "0", "b"],
        ];
        for (path, found) in paths.iter().zip(text.find(&paths)) {
            assert_eq!(found.map(to_value).as_ref(), walk(&value, path), "{path:?}");
            assert_eq!(text.at(path).map(to_value).as_ref(), walk(&value, path), "{path:?}");
        }
    }

    #[test]
    fn objects_and_arrays_are_made_of_texts() {
        let (one, list) = (JsonText::from(json!(1)), JsonText::from(json!(["x", null])));
        let object = JsonText::object([("a\"", &one), ("b", &list)]);
        assert_eq!(object.as_str(), r#"{"a\"":1,"b":["x",null]}"#);
        assert_eq!(JsonText::array([&object, &one]).as_str(), r#"[{"a\"":1,"b":["x",null]},1]"#);
        assert_eq!(object.members().unwrap()["b"], list);
        assert_eq!(list.elements().unwrap().len(), 2);
        assert_eq!((one.members(), one.elements()), (None, None));
    }

    #[test]
    fn text_passes_through_rows_as_it_is() {
        let text = JsonText::parse(r#"{"n":9007199254740993.0,"a":1e2}"#.to_owned()).unwrap();
        let row = serde_json::to_string(&BTreeMap::from([("7", &text)])).unwrap();
        let back: BTreeMap<String, JsonText> = serde_json::from_str(&row).unwrap();
        assert_eq!(back["7"], text);
        assert!(JsonText::parse("{} 1".to_owned()).is_err());
    }

    #[test]
    fn any_depth_that_was_let_in_is_read() {
        let deep = format!("{}1{}", r#"{"a":["#.repeat(200), "]}".repeat(200));
        let text = JsonText::parse(deep).unwrap();
        let path = ["a", "0"].repeat(200);
        assert_eq!(text.at(&path).map(RawValue::get), Some("1"));
        assert!(text.to_value().is_object());
    }

    proptest! {
        #[test]
        fn several_paths_are_found_as_each_alone(
            paths in proptest::collection::vec(proptest::collection::vec("[ab01]", 0..4), 0..12)
        ) {
            let value = json!({ "a": { "a": [1, { "b": 2 }], "b": { "0": 3, "1": [] } }, "b": [[4], "x"], "0": null });
            let text = JsonText::from(&value);
            let paths: Vec<Vec<&str>> = paths.iter().map(|path| path.iter().map(String::as_str).collect()).collect();
            let wanted: Vec<&[&str]> = paths.iter().map(Vec::as_slice).collect();
            for (path, found) in wanted.iter().zip(text.find(&wanted)) {
                prop_assert_eq!(found.map(to_value), walk(&value, path).cloned());
            }
        }
    }
}
