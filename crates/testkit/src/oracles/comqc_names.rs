use std::fmt::{Debug, Display};
use std::str::FromStr;

use comqc_session::{
    DirectName, FormatName, FormatNames, LocalName, MonikerClass, NameError, PathName, QueueMoniker,
    QueueName,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Oracle;

pub(super) const ALL: &[Oracle] = &[("comqc_names", names)];

fn names(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    name::<QueueName>(text);
    name::<LocalName>(text);
    name::<PathName>(text);
    name::<DirectName>(text);
    name::<FormatName>(text);
    name::<FormatNames>(text);
    inside(text, text.parse::<MonikerClass>().err().map(|error| error.at));
    moniker(text);
    if let Ok(name) = text.parse::<QueueName>() {
        let (application, _) = name.member();
        assert!(name.name().starts_with(application) && !application.is_empty());
    }
}

/// Errors point into the text, at a character.
fn inside(text: &str, error: Option<usize>) {
    assert!(error.is_none_or(|at| text.is_char_boundary(at)), "{text:?}: an error at {error:?}");
}

/// What was read is written so that it is read again, and is the same in any case of letters.
fn name<T>(text: &str)
where
    T: FromStr<Err = NameError> + Display + PartialEq + Debug + Serialize + DeserializeOwned,
{
    let parsed = text.parse::<T>();
    inside(text, parsed.as_ref().err().map(|error| error.at));
    let shouted = text.to_ascii_uppercase().parse::<T>();
    let Ok(name) = parsed else {
        assert!(shouted.is_err(), "{text:?} is a name in capitals only");
        return;
    };
    assert_eq!(shouted.as_ref(), Ok(&name), "{text:?} in capitals");
    let written = name.to_string();
    let again: T = written.parse().unwrap_or_else(|error| panic!("{text:?} is written {written:?}: {error}"));
    assert_eq!(again, name, "{text:?} is written {written:?}");
    assert_eq!(again.to_string(), written);
    let json = serde_json::to_string(&name).expect("names have text");
    assert_eq!(serde_json::from_str::<T>(&json).expect("JSON that was written"), name);
}

fn moniker(text: &str) {
    let parsed = text.parse::<QueueMoniker>();
    inside(text, parsed.as_ref().err().map(|error| error.at));
    if let Ok(moniker) = parsed {
        let written = moniker.to_text().unwrap_or_else(|error| panic!("{text:?} cannot be written: {error}"));
        assert_eq!(written.parse().as_ref(), Ok(&moniker), "{text:?} is written {written:?}");
        let properties = moniker.properties();
        assert!(properties.priority <= 7 && properties.label.encode_utf16().count() <= 249);
    }
}
