//! An object of a user's own type inside a model's description: what it does, and the name and configuration under
//! which files know it.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A layer, loss or metric of a user's own type. `T` is the trait object that the crate calls.
///
/// One that was read from a file or from JSON is a name and a configuration alone until [`resolve`](Self::resolve)
/// makes the object.
pub(crate) struct UserObject<T: ?Sized>(Arc<Inner<T>>);

struct Inner<T: ?Sized> {
    name: Cow<'static, str>,
    config: Value,
    /// Why the configuration cannot be saved, if it cannot.
    problem: Option<String>,
    object: Option<Box<T>>,
}

/// Makes an object of one type from its configuration.
pub(crate) type Constructor<T> = fn(&Value) -> Result<UserObject<T>, String>;

/// The types that are known, by the names of their objects.
pub(crate) type Constructors<T> = BTreeMap<&'static str, Constructor<T>>;

impl<T: ?Sized> UserObject<T> {
    /// An object under this name; its configuration is its serde form.
    pub(crate) fn new<U: Serialize + DeserializeOwned>(
        name: &'static str,
        object: U,
        erase: fn(U) -> Box<T>,
    ) -> UserObject<T> {
        let (config, problem) = match config(&object) {
            Ok(config) => (config, None),
            Err(problem) => (Value::Null, Some(problem)),
        };
        Self(Arc::new(Inner { name: Cow::Borrowed(name), config, problem, object: Some(erase(object)) }))
    }

    /// An object of this type from its configuration, or why the type refuses that.
    pub(crate) fn from_config<U: Serialize + DeserializeOwned>(
        name: &'static str,
        config: &Value,
        erase: fn(U) -> Box<T>,
    ) -> Result<UserObject<T>, String> {
        let object = U::deserialize(config).map_err(|error| error.to_string())?;
        Ok(Self::new(name, object, erase))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// The object, if it is there.
    pub(crate) fn object(&self) -> Option<&T> {
        self.0.object.as_deref()
    }

    /// Whether a model can be made of it and saved, or a sentence without its subject that says why not.
    ///
    /// - what: `layer`, `loss` or `metric`
    pub(crate) fn check(&self, what: &str) -> Result<&T, String> {
        let name = self.name();
        match (self.object(), &self.0.problem) {
            (Some(object), None) => Ok(object),
            (Some(_), Some(problem)) => Err(format!("cannot be saved: the configuration of `{name}` {problem}")),
            (None, _) => Err(unknown(what, name)),
        }
    }

    /// Makes the object, unless it is there.
    pub(crate) fn resolve(&mut self, what: &str, known: &Constructors<T>) -> Result<(), String> {
        if self.object().is_none() {
            let constructor = known.get(self.name()).ok_or_else(|| unknown(what, self.name()))?;
            let (name, config) = (self.name(), &self.0.config);
            let refused =
                |error| format!("is the custom {what} `{name}`, which refuses its configuration {config}: {error}");
            *self = constructor(config).map_err(refused)?;
        }
        Ok(())
    }
}

/// What is said of an object whose type nobody has named.
fn unknown(what: &str, name: &str) -> String {
    format!(
        "is the custom {what} `{name}`, whose type is not known: pass `CustomObjects::new().{what}::<{name}>()`, where `{name}` is \
         the type with this `NAME`, to `Model::load_with` or `Sequential::from_json_with`"
    )
}

/// The serde form of an object, if it can be read back.
fn config<U: Serialize + DeserializeOwned>(object: &U) -> Result<Value, String> {
    let config = serde_json::to_value(object).map_err(|error| format!("is no JSON: {error}"))?;
    let read = U::deserialize(&config).map_err(|error| format!("{config} cannot be read back: {error}"))?;
    match serde_json::to_value(read) {
        Ok(again) if again == config => Ok(config),
        Ok(again) => Err(format!("{config} is {again} when it is read back")),
        Err(error) => Err(format!("is no JSON when it is read back: {error}")),
    }
}

impl<T: ?Sized> Clone for UserObject<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// By name and configuration: objects of one type that are configured alike do the same.
impl<T: ?Sized> PartialEq for UserObject<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.name == other.0.name && self.0.config == other.0.config
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for UserObject<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.object() {
            Some(object) => object.fmt(f),
            None => write!(f, "{} {}", self.name(), self.0.config),
        }
    }
}

/// The form of an object in files.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<C> {
    name: Cow<'static, str>,
    config: C,
}

impl<T: ?Sized> Serialize for UserObject<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Inner { name, config, .. } = &*self.0;
        if serializer.is_human_readable() {
            Written { name: name.clone(), config }.serialize(serializer)
        } else {
            // Formats that do not describe themselves cannot tell a reader what a value is.
            Written { name: name.clone(), config: config.to_string() }.serialize(serializer)
        }
    }
}

impl<'de, T: ?Sized> Deserialize<'de> for UserObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { name, config } = if deserializer.is_human_readable() {
            Written::<Value>::deserialize(deserializer)?
        } else {
            let Written { name, config } = Written::<String>::deserialize(deserializer)?;
            Written { name, config: serde_json::from_str(&config).map_err(D::Error::custom)? }
        };
        Ok(Self(Arc::new(Inner { name, config, problem: None, object: None })))
    }
}
