//! Reading JSON without serde's leniency: derived types read a list as an object's fields by position, at every depth.
//! A caller that sends `[]` where an object belongs has made a mistake, and must not be taken at a word it never said.
//! And without its strictness: `1.0` and `1e2` are integers to JSON Schema and to many a library that writes JSON, and
//! are read where a whole number is wanted.

use serde::de::value::Error as QueryError;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// Reads what the inner one reads, but objects only from objects. It goes along to every value inside; only what
/// flattened, untagged and tagged types hold back first is out of its sight.
#[derive(Debug)]
pub struct Strict<T>(pub T);

/// Hands what is found on to a type, and itself along.
#[derive(Debug)]
struct Along<V> {
    visitor: V,
    wanted: Wanted,
}

/// What a type is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Anything,
    /// It has named fields.
    Object,
    /// It is a type of integers.
    Whole,
}

impl<V> Along<V> {
    fn anything(visitor: V) -> Self {
        Self { visitor, wanted: Wanted::Anything }
    }

    fn object(visitor: V) -> Self {
        Self { visitor, wanted: Wanted::Object }
    }

    fn whole(visitor: V) -> Self {
        Self { visitor, wanted: Wanted::Whole }
    }
}

/// An integer of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    Unsigned(u64),
    Negative(i64),
}

impl Whole {
    /// The integer that a double is, when it is one of 64 bits.
    pub fn of(double: f64) -> Option<Self> {
        // Casts of what is too large saturate, and no integer of 64 bits is as large.
        let whole = (double.fract() == 0.0).then_some(double as i128)?;
        match (u64::try_from(whole), i64::try_from(whole)) {
            (Ok(unsigned), _) => Some(Self::Unsigned(unsigned)),
            (_, Ok(negative)) => Some(Self::Negative(negative)),
            _ => None,
        }
    }

    /// The integer that a text such as `20.0` is.
    fn of_text(text: &str) -> Option<Self> {
        let is_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        is_number.then(|| text.parse().ok().and_then(Self::of)).flatten()
    }

    fn visit<'de, V: Visitor<'de>, E: Error>(self, visitor: V) -> Result<V::Value, E> {
        match self {
            Self::Unsigned(unsigned) => visitor.visit_u64(unsigned),
            Self::Negative(negative) => visitor.visit_i64(negative),
        }
    }
}

macro_rules! reads {
    ($how:ident: $($method:ident($($name:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($name,)* Along::$how(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    reads! { whole:
        deserialize_i8(); deserialize_i16(); deserialize_i32(); deserialize_i64(); deserialize_i128();
        deserialize_u8(); deserialize_u16(); deserialize_u32(); deserialize_u64(); deserialize_u128();
    }

    reads! { anything:
        deserialize_any(); deserialize_bool();
        deserialize_f32(); deserialize_f64(); deserialize_char(); deserialize_str(); deserialize_string();
        deserialize_bytes(); deserialize_byte_buf(); deserialize_option(); deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(length: usize);
        deserialize_tuple_struct(name: &'static str, length: usize);
        deserialize_map();
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier(); deserialize_ignored_any();
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, Along::object(visitor))
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! finds {
    ($($method:ident: $type:ty;)*) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.visitor.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Along<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.visitor.expecting(f)
    }

    finds! {
        visit_bool: bool;
        visit_i8: i8; visit_i16: i16; visit_i32: i32; visit_i64: i64; visit_i128: i128;
        visit_u8: u8; visit_u16: u16; visit_u32: u32; visit_u64: u64; visit_u128: u128;
        visit_f32: f32; visit_char: char;
        visit_str: &str; visit_borrowed_str: &'de str; visit_string: String;
        visit_bytes: &[u8]; visit_borrowed_bytes: &'de [u8]; visit_byte_buf: Vec<u8>;
    }

    fn visit_f64<E: Error>(self, double: f64) -> Result<V::Value, E> {
        match Whole::of(double).filter(|_| self.wanted == Wanted::Whole) {
            Some(whole) => whole.visit(self.visitor),
            None => self.visitor.visit_f64(double),
        }
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Strict(value))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Strict(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        if self.wanted == Wanted::Object {
            return Err(A::Error::invalid_type(Unexpected::Seq, &"an object"));
        }
        self.visitor.visit_seq(Strict(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Strict(object))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Strict(variant))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(value))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        // Keys are texts.
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Strict<A> {
    type Error = A::Error;
    type Variant = Strict<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, variant) = self.0.variant_seed(seed)?;
        Ok((name, Strict(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(Strict(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(length, Along::anything(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, Along::object(visitor))
    }
}

/// The text of a query parameter, as the type that it is read into has it.
#[derive(Debug)]
pub struct QueryText(pub String);

impl IntoDeserializer<'_, QueryError> for QueryText {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parses {
    ($($method:ident: $type:ty, $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
            match self.0.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(error) => match Whole::of_text(&self.0) {
                    Some(whole) => whole.visit(visitor),
                    None => Err(QueryError::custom(error)),
                },
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for QueryText {
    type Error = QueryError;

    parses! {
        deserialize_i8: i8, visit_i8; deserialize_i16: i16, visit_i16; deserialize_i32: i32, visit_i32;
        deserialize_i64: i64, visit_i64; deserialize_u8: u8, visit_u8; deserialize_u16: u16, visit_u16;
        deserialize_u32: u32, visit_u32; deserialize_u64: u64, visit_u64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        visitor.visit_string(self.0)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        visitor.visit_bool(self.0.parse().map_err(QueryError::custom)?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        visitor.visit_f32(self.0.parse().map_err(QueryError::custom)?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        visitor.visit_f64(self.0.parse().map_err(QueryError::custom)?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, QueryError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, QueryError> {
        self.0.into_deserializer().deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::{QueryText, Strict};

    #[derive(Debug, PartialEq, Deserialize)]
    struct Numbers {
        list: Vec<Option<i64>>,
        unsigned: u64,
        small: u8,
        double: f64,
        any: Value,
    }

    #[test]
    fn whole_doubles_are_integers_where_integers_are_wanted() {
        let read = |text: &str| Numbers::deserialize(Strict(&mut serde_json::Deserializer::from_str(text)));
        let text = r#"{"list":[1.0,-2e0,null,-0.0,9007199254740992.0],"unsigned":1e19,"small":2.5e1,"double":3,"any":4.0}"#;
        let expected = Numbers {
            list: vec![Some(1), Some(-2), None, Some(0), Some(9_007_199_254_740_992)],
            unsigned: 10_000_000_000_000_000_000,
            small: 25,
            double: 3.0,
            any: json!(4.0),
        };
        assert_eq!(read(text).unwrap(), expected);
        for (from, to) in
            [("2.5e1", "2.5"), ("2.5e1", "256.0"), ("1e19", "-1.0"), ("1e19", "1e20"), ("1.0,", "1e300,")]
        {
            assert!(read(&text.replace(from, to)).is_err(), "{to}");
        }
        let of_values = Strict(json!({ "a": 7.0 }));
        assert_eq!(Inner::deserialize(of_values).unwrap(), Inner { a: Some(7) });
    }

    #[test]
    fn whole_doubles_are_integers_in_queries() {
        let read = |text: &str| u32::deserialize(QueryText(text.to_owned()));
        for (text, number) in [("20", 20), ("20.0", 20), ("2e1", 20), ("0.0", 0), ("007", 7)] {
            assert_eq!(read(text).unwrap(), number, "{text}");
        }
        for text in ["", "20.5", "-1.0", "1e10", "inf", "NaN", ".0", " 1", "0x10", "1.0.0", "ten"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        a: Option<u32>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    enum Choice {
        Plain,
        Pair(u32, u32),
        Named { a: u32 },
        One(Inner),
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        inner: Option<Inner>,
        #[serde(default)]
        list: Vec<Inner>,
        choice: Option<Choice>,
        any: Option<Value>,
        pair: Option<(u32, String)>,
    }

    fn read(value: &Value) -> Result<Outer, String> {
        let text = value.to_string();
        let read: Result<Outer, _> =
            Outer::deserialize(Strict(&mut serde_json::Deserializer::from_str(&text)));
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn objects_and_lists_are_read_where_they_belong() {
        for value in [
            json!({}),
            json!({ "inner": null, "choice": "Plain", "any": [[1], {}], "pair": [1, "x"] }),
            json!({ "inner": { "a": 1 }, "list": [{ "a": null }, {}], "choice": { "Pair": [1, 2] } }),
            json!({ "choice": { "Named": { "a": 1 } } }),
            json!({ "choice": { "One": { "a": 1 } } }),
        ] {
            let expected: Outer = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(read(&value).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn a_list_is_no_object_at_any_depth() {
        for value in [
            json!([null, [], null, null, null]),
            json!({ "inner": [] }),
            json!({ "inner": [1] }),
            json!({ "list": [{}, [1]] }),
            json!({ "choice": { "Named": [1] } }),
            json!({ "choice": { "One": [1] } }),
        ] {
            let refused = read(&value).unwrap_err();
            assert!(refused.contains("invalid type: sequence, expected an object"), "{value}: {refused}");
        }
    }
}
