//! A small XML format to try the core with.

use std::fmt;

use remassist_core::text::{TextCursor, TextDocument, TextFormat, TextRules};
use remassist_core::xml::{AttributeSpec, Document, ElementSpec, Schema};
use remassist_core::{At, DecodeError, EncodeError};
use serde::{Deserialize, Serialize};

const DOC: &str = "[TEST]";

/// `<CALL NAME="" PASS=""><ITEM ID=""/></CALL>`; PASS is secret.
pub static SCHEMA: Schema = Schema {
    at: At::new(DOC, "1", "SAMPLE", ""),
    elements: &[
        ElementSpec {
            name: "CALL",
            at: At::new(DOC, "1.1", "CALL", ""),
            attributes: &[
                AttributeSpec::new(DOC, "1.1", "CALL", "NAME"),
                AttributeSpec::new(DOC, "1.1", "CALL", "PASS").secret(),
            ],
        },
        ElementSpec {
            name: "ITEM",
            at: At::new(DOC, "1.2", "ITEM", ""),
            attributes: &[AttributeSpec::new(DOC, "1.2", "ITEM", "ID")],
        },
    ],
};

/// Any document, read with [`SCHEMA`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample<'a>(pub Document<'a>);

/// [`Sample`] in a file.
pub type SampleFile<'a> = TextDocument<'a, Sample<'a>>;

impl<'a> TextFormat<'a> for Sample<'a> {
    const AT: &'static At = &SCHEMA.at;
    const RULES: TextRules = TextRules::ANY;

    fn parse_text(cursor: &mut TextCursor<'_, 'a>) -> Result<Self, DecodeError> {
        Document::parse(cursor, &SCHEMA).map(Self)
    }

    fn check_text(&self) -> Result<(), EncodeError> {
        self.0.check(Self::AT)
    }

    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.0.write(out)
    }
}
