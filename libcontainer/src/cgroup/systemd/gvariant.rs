//! Values as text: GVariant's notation, which runc and crun read from annotations.
//! <https://docs.gtk.org/glib/gvariant-text-format.html>
//!
//! `7` and `-0x7` (int32), `0.5` (double), `true`, `'text'`, `"text"`, `uint64 7`, `['a', 'b']`,
//! `('a', 7)`, `<7>` (a variant), `@as []` (a type, then the value). No dictionaries, maybes, byte
//! strings and handles: no property that a scope takes has them.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod number;

use super::dbus::Value;

/// Longest text, in bytes.
const LONGEST: usize = 4096;

/// How deep values may be nested.
const DEPTH: usize = 8;

/// Reads the whole of `text` as one value.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    if text.len() > LONGEST {
        return Err(format!("is longer than {LONGEST} bytes"));
    }
    let mut parser = Parser { rest: text };
    let value = parser.value(None, DEPTH)?;
    match parser.token() {
        "" => Ok(value),
        rest => Err(format!("has {rest:?} after the value")),
    }
}

/// Names of types that may stand before a value, and their signatures.
const TYPES: &[(&str, &str)] = &[
    ("boolean", "b"),
    ("byte", "y"),
    ("int16", "n"),
    ("uint16", "q"),
    ("int32", "i"),
    ("uint32", "u"),
    ("int64", "x"),
    ("uint64", "t"),
    ("double", "d"),
    ("string", "s"),
    ("objectpath", "o"),
    ("signature", "g"),
];

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    /// What comes next, without white space before it.
    fn token(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        self.rest
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Passes over `mark` if it comes next.
    fn take(&mut self, mark: char) -> bool {
        let found = self.token().starts_with(mark);
        if found {
            self.skip(mark.len_utf8());
        }
        found
    }

    fn expect(&mut self, mark: char) -> Result<(), String> {
        match self.take(mark) {
            true => Ok(()),
            false => Err(format!("lacks a `{mark}` at {:?}", self.rest)),
        }
    }

    /// Letters and digits, and what else numbers are made of.
    fn word(&mut self) -> &'a str {
        let token = self.token();
        let end = token.find(|one: char| !(one.is_ascii_alphanumeric() || "+-.".contains(one)));
        let word = token.get(..end.unwrap_or(token.len())).unwrap_or_default();
        self.skip(word.len());
        word
    }

    /// A value, of the type `wanted` if that is known.
    fn value(&mut self, wanted: Option<&str>, depth: usize) -> Result<Value, String> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err("is nested too deeply".into());
        };
        match self.token().chars().next() {
            None => Err("ends too early".into()),
            Some('@') => self.typed(depth),
            Some('\'' | '"') => text_value(self.quoted()?, wanted),
            Some('[') => self.array(wanted, depth),
            Some('(') => self.tuple(wanted, depth),
            Some('<') if matches!(wanted, None | Some("v")) => {
                self.skip(1);
                let value = Value::Variant(Box::new(self.value(None, depth)?));
                self.expect('>').map(|()| value)
            }
            Some(_) => self.plain(wanted, depth),
        }
    }

    /// `@TYPE VALUE`: of the types that have no name, only arrays of those that have one.
    fn typed(&mut self, depth: usize) -> Result<Value, String> {
        self.skip(1);
        let signature = self.word();
        let element = signature.strip_prefix('a').unwrap_or(signature);
        match TYPES.iter().any(|(_, letter)| *letter == element) {
            true => self.value(Some(signature), depth),
            false => Err(format!("has a type that is not supported: @{signature}")),
        }
    }

    fn plain(&mut self, wanted: Option<&str>, depth: usize) -> Result<Value, String> {
        let word = self.word();
        if let Some((_, signature)) = TYPES.iter().find(|(name, _)| *name == word) {
            return match wanted {
                Some(other) if other != *signature => Err(format!("has both {other} and {word}")),
                _ => self.value(Some(signature), depth),
            };
        }
        match (word, wanted) {
            ("true" | "false", None | Some("b")) => Ok(Value::Bool(word == "true")),
            ("", _) => Err(format!("is not understood at {:?}", self.rest)),
            _ => number::parse(word, wanted),
        }
    }

    /// An array; its elements are of one type, which the first one shows.
    fn array(&mut self, wanted: Option<&str>, depth: usize) -> Result<Value, String> {
        let mut element = match wanted {
            None => None,
            Some(signature) => match signature.strip_prefix('a') {
                Some(element) => Some(element.to_string()),
                None => return Err("is an array where another type is wanted".into()),
            },
        };
        self.skip(1);
        let mut items = Vec::new();
        while !self.take(']') {
            if !items.is_empty() {
                self.expect(',')?;
            }
            let item = self.value(element.as_deref(), depth)?;
            let signature = item.signature();
            if element.get_or_insert_with(|| signature.clone()) != &signature {
                return Err("is an array of different types".into());
            }
            items.push(item);
        }
        match element {
            None => Err("is an empty array; write its type before it, such as @as []".into()),
            Some(element) if element == "y" => Ok(Value::Bytes(bytes(&items))),
            Some(element) => Ok(Value::Array(element, items)),
        }
    }

    fn tuple(&mut self, wanted: Option<&str>, depth: usize) -> Result<Value, String> {
        self.skip(1);
        let mut fields = vec![self.value(None, depth)?];
        while !self.take(')') {
            self.expect(',')?;
            // As in Python, `(7,)` is a tuple of one.
            if fields.len() == 1 && self.take(')') {
                break;
            }
            fields.push(self.value(None, depth)?);
        }
        let tuple = Value::Struct(fields);
        match wanted.is_none_or(|wanted| wanted == tuple.signature()) {
            true => Ok(tuple),
            false => Err("is a tuple where another type is wanted".into()),
        }
    }

    /// What is between two quotation marks; a `\` takes its meaning from what follows.
    fn quoted(&mut self) -> Result<String, String> {
        let mut rest = self.token().chars();
        let mark = rest.next();
        let mut text = String::new();
        loop {
            let one = match rest.next() {
                None => return Err("has a text without an end".into()),
                end if end == mark => break,
                Some('\\') => match rest.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some(one @ ('\\' | '\'' | '"')) => one,
                    _ => return Err("has a `\\` before none of n t \\ ' \"".into()),
                },
                Some('\0') => return Err("has a zero byte".into()),
                Some(one) => one,
            };
            text.push(one);
        }
        self.rest = rest.as_str();
        Ok(text)
    }
}

fn text_value(text: String, wanted: Option<&str>) -> Result<Value, String> {
    match wanted {
        None | Some("s") => Ok(Value::String(text)),
        Some("o") => Ok(Value::ObjectPath(text)),
        Some("g") => Ok(Value::Signature(text)),
        Some(_) => Err("is a text where another type is wanted".into()),
    }
}

fn bytes(items: &[Value]) -> Vec<u8> {
    let byte = |item: &Value| match item {
        Value::Byte(byte) => Some(*byte),
        _ => None,
    };
    items.iter().filter_map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_annotations_have() {
        for (text, value) in [
            ("uint64 10000000", Value::Uint64(10_000_000)),
            ("15", Value::Int32(15)),
            (" -0x10 ", Value::Int32(-16)),
            ("true", Value::Bool(true)),
            ("boolean false", Value::Bool(false)),
            ("'inactive-or-failed'", Value::string("inactive-or-failed")),
            (r#""it's \"so\"""#, Value::string("it's \"so\"")),
            ("byte 0xff", Value::Byte(255)),
            ("int64 -9223372036854775808", Value::Int64(i64::MIN)),
            ("uint64 18446744073709551615", Value::Uint64(u64::MAX)),
            ("1.5", Value::Double(1.5)),
            ("double 2", Value::Double(2.0)),
            ("['a', 'b']", Value::Array("s".into(), vec![Value::string("a"), Value::string("b")])),
            ("[uint32 1, 2]", Value::Array("u".into(), vec![Value::Uint32(1), Value::Uint32(2)])),
            ("@as []", Value::Array("s".into(), vec![])),
            ("@t 7", Value::Uint64(7)),
            ("[byte 1, 2]", Value::Bytes(vec![1, 2])),
            ("@ay []", Value::Bytes(vec![])),
            ("('a', uint64 7)", Value::Struct(vec![Value::string("a"), Value::Uint64(7)])),
            ("(7,)", Value::Struct(vec![Value::Int32(7)])),
            ("<7>", Value::Variant(Box::new(Value::Int32(7)))),
        ] {
            assert_eq!(parse(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "infinity",
            "uint64",
            "uint64 -1",
            "uint64 x",
            "byte 256",
            "4294967296",
            "--1",
            "+-1",
            "'a",
            "'a\\x'",
            "'a' 'b'",
            "[",
            "['a', 7]",
            "[1 2]",
            "[]",
            "()",
            "(1 2)",
            "{'a': 1}",
            "@a{sv} {}",
            "@as [1]",
            "uint64 'a'",
            "uint64 uint32 1",
            "true false",
            "nan",
            "double inf",
            "0x",
            "1e",
            "handle 1",
            "<1",
            "é",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse(&"[".repeat(4096)), Err("is nested too deeply".into()));
        assert!(parse(&"1".repeat(4097)).is_err());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<u8>().prop_map(Value::Byte),
            any::<i32>().prop_map(Value::Int32),
            any::<u64>().prop_map(Value::Uint64),
            any::<i64>().prop_map(Value::Int64),
            (-1e9..1e9).prop_map(Value::Double),
            "[a-zA-Z0-9 '\"\\\\é,()]{0,9}".prop_map(Value::String),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 2..4).prop_map(Value::Struct),
                inner.clone().prop_map(|value| Value::Variant(Box::new(value))),
                inner.prop_filter_map("arrays of bytes are shown otherwise", |item| {
                    let byte = matches!(item, Value::Byte(_));
                    (!byte).then(|| Value::Array(item.signature(), vec![item; 2]))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(value in value()) {
            prop_assert_eq!(parse(&value.to_string()), Ok(value.clone()), "{}", value);
        }

        #[test]
        fn any_text_is_answered(text in "[-@\\[\\](){}<>'\", a-z0-9.]{0,40}") {
            let _ = parse(&text);
        }
    }
}
