//! What a type reads: a deserializer that has no input, and gives each type that asks it whatever it
//! asks for, to see what that is. So lists of fields can be compared with those of the types.

use serde::de::value::{Error, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// The fields of `T` and of what is in them: `mounts`, `mounts.*`, `mounts.*.type`, where `*` is an
/// element of a list or a key of a map.
pub(crate) fn fields<T: serde::de::DeserializeOwned>() -> BTreeSet<String> {
    walk::<T>().0
}

/// The words of the enumeration `T`.
pub(crate) fn words<T: serde::de::DeserializeOwned>() -> BTreeSet<String> {
    walk::<T>().1
}

fn walk<T: serde::de::DeserializeOwned>() -> (BTreeSet<String>, BTreeSet<String>) {
    let seen = Seen::default();
    if let Err(error) = T::deserialize(Walker { path: String::new(), seen: &seen }) {
        panic!("{error}; the last field was {:?}", seen.last.borrow());
    }
    (seen.fields.into_inner(), seen.words.into_inner())
}

#[derive(Default)]
struct Seen {
    fields: RefCell<BTreeSet<String>>,
    words: RefCell<BTreeSet<String>>,
    last: RefCell<String>,
}

/// Texts for types that do not take any.
const TEXTS: &[(&str, &str)] =
    &[("capabilities.", "CAP_CHOWN"), ("process.rlimits.*.type", "RLIMIT_AS")];

#[derive(Clone)]
struct Walker<'a> {
    path: String,
    seen: &'a Seen,
}

impl Walker<'_> {
    fn at(&self, key: &str) -> Self {
        let path = match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        self.seen.last.replace(path.clone());
        Self { path, seen: self.seen }
    }

    fn text(&self) -> &'static str {
        TEXTS.iter().find(|(part, _)| self.path.contains(part)).map_or("0", |row| row.1)
    }
}

macro_rules! gives {
    ($($ask:ident => $answer:ident($($value:expr)?),)*) => {$(
        fn $ask<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$answer($($value)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Walker<'_> {
    type Error = Error;

    gives! {
        deserialize_bool => visit_bool(true),
        deserialize_i8 => visit_i8(1),
        deserialize_i16 => visit_i16(1),
        deserialize_i32 => visit_i32(1),
        deserialize_i64 => visit_i64(1),
        deserialize_u8 => visit_u8(1),
        deserialize_u16 => visit_u16(1),
        deserialize_u32 => visit_u32(1),
        deserialize_u64 => visit_u64(1),
        deserialize_f32 => visit_f32(1.0),
        deserialize_f64 => visit_f64(1.0),
        deserialize_char => visit_char('0'),
        deserialize_unit => visit_unit(),
        // It takes anything, so nothing is asked of it.
        deserialize_any => visit_unit(),
        deserialize_ignored_any => visit_unit(),
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text())
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text())
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Parts { walker: self, keys: ["*"].iter() })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Parts { walker: self, keys: ["*"].iter() })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let paths = fields.iter().map(|field| self.at(field).path);
        self.seen.fields.borrow_mut().extend(paths);
        visitor.visit_map(Parts { walker: self, keys: fields.iter() })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.seen.words.borrow_mut().extend(variants.iter().map(|word| (*word).to_owned()));
        visitor.visit_enum(Word(variants[0]))
    }
}

/// The fields of a struct, or one element.
struct Parts<'a> {
    walker: Walker<'a>,
    keys: std::slice::Iter<'static, &'static str>,
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        self.keys.next().map(|key| seed.deserialize(self.walker.at(key))).transpose()
    }
}

impl<'de> MapAccess<'de> for Parts<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let key = self.keys.as_slice().first();
        let key = key.map(|key| -> StrDeserializer<'_, Error> { (*key).into_deserializer() });
        key.map(|key| seed.deserialize(key)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let key = self.keys.next().ok_or_else(|| Error::custom("no more"))?;
        seed.deserialize(self.walker.at(key))
    }
}

struct Word(&'static str);

impl<'de> EnumAccess<'de> for Word {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let word: StrDeserializer<'_, Error> = self.0.into_deserializer();
        Ok((seed.deserialize(word)?, self))
    }
}

impl<'de> VariantAccess<'de> for Word {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Error> {
        Err(Error::custom("a word with something in it"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("a word with something in it"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        Err(Error::custom("a word with something in it"))
    }
}

#[test]
fn types_tell_their_fields() {
    use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType, Mount};
    let found = fields::<Mount>();
    let expected =
        ["destination", "options", "source", "type", "uidMappings", "uidMappings.*.size"];
    assert!(expected.iter().all(|field| found.contains(*field)), "{found:?}");
    assert_eq!(fields::<LinuxNamespace>(), ["path", "type"].map(str::to_owned).into());
    assert!(words::<LinuxNamespaceType>().contains("cgroup"));
}
