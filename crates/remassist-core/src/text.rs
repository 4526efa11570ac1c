//! Text formats: encoding, byte order mark and terminator around a content, with errors at wire offsets.

use alloc::borrow::Cow;
use alloc::string::String;
use core::cell::Cell;
use core::fmt;
use core::ops::Range;

use bytes::BufMut;
use zeroize::Zeroizing;

use crate::decode::Group;
use crate::{
    At, Context, Cursor, Decode, DecodeError, DecodeErrorKind as Kind, DecodeOptions, Decoded, Encode,
    EncodeError, Format, Limits, decode_using, utf16,
};

/// How text is written as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum Encoding {
    /// UTF-8.
    #[default]
    Utf8,
    /// UTF-16, low byte first: what the specifications call a Unicode string.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
}

impl Encoding {
    const fn bom(self) -> &'static [u8] {
        match self {
            Self::Utf8 => &[0xEF, 0xBB, 0xBF],
            Self::Utf16Le => &[0xFF, 0xFE],
            Self::Utf16Be => &[0xFE, 0xFF],
        }
    }

    /// The encoding that the first bytes tell of, and whether they are a byte order mark. The formats read here begin
    /// with an ASCII character.
    #[must_use]
    pub fn detect(bytes: &[u8]) -> (Self, bool) {
        for encoding in [Self::Utf8, Self::Utf16Le, Self::Utf16Be] {
            if bytes.starts_with(encoding.bom()) {
                return (encoding, true);
            }
        }
        match bytes {
            [0, low, ..] if *low != 0 => (Self::Utf16Be, false),
            [low, 0, ..] if *low != 0 => (Self::Utf16Le, false),
            _ => (Self::Utf8, false),
        }
    }

    const fn format(self) -> Format {
        match self {
            Self::Utf8 => Format::Utf8,
            Self::Utf16Le => Format::Utf16Le,
            Self::Utf16Be => Format::Utf16Be,
        }
    }

    fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, usize> {
        match self {
            Self::Utf8 => core::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|e| e.valid_up_to()),
            Self::Utf16Le => utf16::decode(bytes).map(Cow::Owned).map_err(|e| e.offset),
            Self::Utf16Be => {
                let mut swapped = Zeroizing::new(bytes.to_vec());
                for unit in swapped.as_chunks_mut::<2>().0 {
                    unit.reverse();
                }
                utf16::decode(&swapped).map(Cow::Owned).map_err(|e| e.offset)
            }
        }
    }

    fn char_len(self, c: char) -> usize {
        match self {
            Self::Utf8 => c.len_utf8(),
            Self::Utf16Le | Self::Utf16Be => c.len_utf16().saturating_mul(2),
        }
    }
}

/// What a specification says about the text around a content; anything else is a deviation.
#[derive(Debug, Clone, Copy)]
pub struct TextRules {
    /// The encoding demanded, without a byte order mark; `None` when any will do.
    pub encoding: Option<Encoding>,
    /// Exactly one NUL must follow the content.
    pub terminated: bool,
}

impl TextRules {
    /// Any encoding, any blanks and NULs at the end.
    pub const ANY: Self = Self { encoding: None, terminated: false };
    /// A NUL-terminated UTF-16LE string.
    pub const UNICODE_Z: Self = Self { encoding: Some(Encoding::Utf16Le), terminated: true };
}

/// A content that is read from text: connection strings, invitations, commands.
pub trait TextFormat<'a>: Sized {
    /// The structure, for errors that concern all of it.
    const AT: &'static At;
    /// What the specification says about encoding and terminator.
    const RULES: TextRules;

    /// Reads the content at the cursor and leaves the cursor behind it.
    ///
    /// # Errors
    /// When the text cannot be read as this content, or breaks a rule under a strict policy.
    fn parse_text(cursor: &mut TextCursor<'_, 'a>) -> Result<Self, DecodeError>;

    /// Checks that the content can be read again as it is.
    ///
    /// # Errors
    /// [`EncodeError::TooLarge`] or [`EncodeError::Invalid`].
    fn check_text(&self) -> Result<(), EncodeError>;

    /// Writes a content that [`check_text`](Self::check_text) accepts.
    ///
    /// # Errors
    /// Those of `out`.
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result;

    /// Parses text that is already a string; blanks and NULs may follow the content. Offsets in errors count bytes
    /// of `text`.
    ///
    /// # Errors
    /// As [`parse_text`](Self::parse_text).
    fn parse(text: &'a str) -> Result<Self, DecodeError> {
        Self::parse_with(text, &DecodeOptions::TOLERANT).map(|d| d.value)
    }

    /// As [`parse`](Self::parse) with the policy, limits and trace given. Rules about encoding and terminator are
    /// not checked: a string has neither.
    ///
    /// # Errors
    /// As [`parse_text`](Self::parse_text).
    fn parse_with(text: &'a str, options: &DecodeOptions) -> Result<Decoded<'a, Self>, DecodeError> {
        decode_using(text.as_bytes(), options, Self::AT, |cursor| {
            let source = Source::new(Cow::Borrowed(text), Encoding::Utf8, 0, text.len());
            let (content, _) = parse_content::<Self>(cursor.context(), &source)?;
            cursor.sub(text.len(), Self::AT)?;
            Ok(content)
        })
    }

    /// The content as a string.
    ///
    /// # Errors
    /// As [`check_text`](Self::check_text).
    fn to_text(&self) -> Result<String, EncodeError> {
        self.check_text()?;
        let mut text = String::new();
        let _infallible = self.write_text(&mut text);
        Ok(text)
    }
}

/// A content with the form in which it stood in a file or on a channel: decode, encode, and the bytes are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TextDocument<'a, T> {
    /// How it is encoded.
    pub encoding: Encoding,
    /// Whether it begins with a byte order mark.
    pub bom: bool,
    /// The content.
    pub content: T,
    /// Blanks and NULs after the content.
    pub tail: Cow<'a, str>,
}

impl<'a, T> TextDocument<'a, T> {
    /// UTF-8 without byte order mark and terminator: what a file of today looks like.
    #[must_use]
    pub const fn utf8(content: T) -> Self {
        Self { encoding: Encoding::Utf8, bom: false, content, tail: Cow::Borrowed("") }
    }

    /// A NUL-terminated UTF-16LE string: what a channel carries.
    #[must_use]
    pub const fn unicode_z(content: T) -> Self {
        Self { encoding: Encoding::Utf16Le, bom: false, content, tail: Cow::Borrowed("\0") }
    }

    /// Makes the tail owned and the content whatever `f` makes of it.
    #[must_use]
    pub fn map_owned<U>(self, f: impl FnOnce(T) -> U) -> TextDocument<'static, U> {
        let Self { encoding, bom, content, tail } = self;
        TextDocument { encoding, bom, content: f(content), tail: Cow::Owned(tail.into_owned()) }
    }
}

impl<'a, T: TextFormat<'a>> Decode<'a> for TextDocument<'a, T> {
    const AT: &'static At = T::AT;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let start = cursor.offset();
        let (encoding, bom) = Encoding::detect(cursor.rest());
        if let Some(expected) = T::RULES.encoding {
            let ok = encoding == expected && !bom;
            cursor.must(
                ok,
                start,
                T::AT,
                Kind::Rule("the text is not UTF-16LE without a byte order mark"),
            )?;
        }
        if bom {
            cursor.take(encoding.bom().len(), T::AT, Format::Filler)?;
        }
        let base = cursor.offset();
        let context = cursor.context();
        let bytes = cursor.sub(cursor.remaining(), T::AT)?.rest();
        let text = encoding.decode(bytes).map_err(|at| {
            DecodeError::new(
                base.saturating_add(at),
                T::AT,
                Kind::Rule("the text is not well-formed in its encoding"),
            )
        })?;
        let source = Source::new(text, encoding, base, bytes.len());
        let (content, tail) = parse_content::<T>(context, &source)?;
        let terminated = source.text.get(tail.clone()) == Some("\0");
        if T::RULES.terminated && !terminated {
            let rule = Kind::Rule("the text does not end with exactly one NUL");
            context.must(false, source.wire(tail.start), T::AT, rule)?;
        }
        let tail = if terminated { Cow::Borrowed("\0") } else { source.cow(tail) };
        Ok(Self { encoding, bom, content, tail })
    }
}

/// What may follow a content.
const TAIL: [char; 5] = [' ', '\t', '\r', '\n', '\0'];

/// Parses the content and the blanks behind it; returns where these stand.
fn parse_content<'a, T: TextFormat<'a>>(
    context: &Context,
    source: &Source<'a>,
) -> Result<(T, Range<usize>), DecodeError> {
    let mut cursor = TextCursor { context, source, position: 0 };
    let group = cursor.open(T::AT);
    // What could not be read may hold a secret all the same.
    let content = T::parse_text(&mut cursor).inspect_err(|_| source.secret.set(true))?;
    let end = cursor.position;
    if context.tracing() {
        context.fill(&group, source.wire(0), source.wire(end), T::AT);
    }
    cursor.close(group);
    let tail = cursor.rest();
    let blanks = tail.trim_start_matches(TAIL);
    if !blanks.is_empty() {
        let at = source.text.len().saturating_sub(blanks.len());
        let extra = source.wire(source.text.len()).saturating_sub(source.wire(at));
        return Err(DecodeError::new(source.wire(at), T::AT, Kind::TrailingData { extra }));
    }
    let tail = end..source.text.len();
    cursor.field(tail.clone(), T::AT);
    Ok((content, tail))
}

impl<'a, T: TextFormat<'a>> Encode for TextDocument<'a, T> {
    fn encoded_len(&self) -> usize {
        let mut counter = Counter { encoding: self.encoding, len: 0 };
        let _infallible = self.write_to(&mut counter);
        counter.len
    }

    fn check(&self) -> Result<(), EncodeError> {
        if !self.tail.chars().all(|c| TAIL.contains(&c)) {
            return Err(EncodeError::Invalid {
                at: T::AT,
                reason: "only blanks and NULs may follow the content",
            });
        }
        self.content.check_text()
    }

    fn write(&self, dst: &mut dyn BufMut) {
        let _infallible = self.write_to(&mut Transcoder { encoding: self.encoding, dst });
    }
}

impl<'a, T: TextFormat<'a>> TextDocument<'a, T> {
    fn write_to(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        if self.bom {
            out.write_char('\u{FEFF}')?;
        }
        self.content.write_text(out)?;
        out.write_str(&self.tail)
    }
}

/// Counts the bytes that text takes.
struct Counter {
    encoding: Encoding,
    len: usize,
}

impl fmt::Write for Counter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let len = match self.encoding {
            Encoding::Utf8 => text.len(),
            Encoding::Utf16Le | Encoding::Utf16Be => utf16::encoded_len(text),
        };
        self.len = self.len.saturating_add(len);
        Ok(())
    }
}

/// Writes text in an encoding.
struct Transcoder<'d> {
    encoding: Encoding,
    dst: &'d mut dyn BufMut,
}

impl fmt::Write for Transcoder<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match self.encoding {
            Encoding::Utf8 => self.dst.put_slice(text.as_bytes()),
            Encoding::Utf16Le => text.encode_utf16().for_each(|u| self.dst.put_u16_le(u)),
            Encoding::Utf16Be => text.encode_utf16().for_each(|u| self.dst.put_u16(u)),
        }
        Ok(())
    }
}

/// Text with what is needed to find the wire offset of each character.
#[derive(Debug)]
struct Source<'a> {
    text: Cow<'a, str>,
    encoding: Encoding,
    /// Wire offset of the first character.
    base: usize,
    /// Each character takes this many bytes, when they all take the same.
    stride: Option<usize>,
    /// The last answer of [`wire`](Self::wire): offset in the text, offset from `base`. Questions mostly ascend.
    last: Cell<(usize, usize)>,
    /// The text holds a secret: it is wiped when dropped, unless it is the input itself.
    secret: Cell<bool>,
}

impl<'a> Source<'a> {
    /// A text that takes `len` bytes on the wire.
    fn new(text: Cow<'a, str>, encoding: Encoding, base: usize, len: usize) -> Self {
        let stride = match encoding {
            Encoding::Utf8 => Some(1),
            // In UTF-16, only ASCII takes twice what it takes in UTF-8.
            Encoding::Utf16Le | Encoding::Utf16Be => (text.len().saturating_mul(2) == len).then_some(2),
        };
        Self { text, encoding, base, stride, last: Cell::new((0, 0)), secret: Cell::new(false) }
    }

    fn wire(&self, position: usize) -> usize {
        match self.stride {
            Some(stride) => self.base.saturating_add(position.saturating_mul(stride)),
            None => self.walk(position),
        }
    }

    /// [`wire`](Self::wire) for characters of different lengths.
    fn walk(&self, position: usize) -> usize {
        let (from, mut offset) = match self.last.get() {
            (from, offset) if from <= position => (from, offset),
            _ => (0, 0),
        };
        for c in self.text.get(from..position).unwrap_or_default().chars() {
            offset = offset.saturating_add(self.encoding.char_len(c));
        }
        self.last.set((position, offset));
        self.base.saturating_add(offset)
    }

    #[inline]
    fn cow(&self, range: Range<usize>) -> Cow<'a, str> {
        match &self.text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(range).unwrap_or_default()),
            Cow::Owned(text) => Cow::Owned(text.get(range).unwrap_or_default().into()),
        }
    }
}

impl Drop for Source<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(text) = &mut self.text
            && self.secret.get()
        {
            crate::secret::wipe_text(text);
        }
    }
}

/// A position in text; knows the wire offset of every character.
#[derive(Debug)]
pub struct TextCursor<'t, 'a> {
    context: &'t Context,
    source: &'t Source<'a>,
    position: usize,
}

impl<'t, 'a> TextCursor<'t, 'a> {
    /// The text that is left.
    #[must_use]
    pub fn rest(&self) -> &'t str {
        self.source.text.get(self.position..).unwrap_or_default()
    }

    /// All of the text.
    #[must_use]
    pub fn text(&self) -> &'t str {
        &self.source.text
    }

    /// Position in the text, in bytes of UTF-8.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Moves on by `len` bytes of UTF-8.
    pub fn advance(&mut self, len: usize) {
        self.position = self.position.saturating_add(len).min(self.source.text.len());
    }

    /// A part of the text.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> &'t str {
        self.source.text.get(range).unwrap_or_default()
    }

    /// Goes to a position in the text.
    pub fn move_to(&mut self, position: usize) {
        self.position = position.min(self.source.text.len());
    }

    /// Whether fields are recorded.
    #[must_use]
    pub fn tracing(&self) -> bool {
        self.context.tracing()
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &'t Limits {
        self.context.limits()
    }

    /// A part of the text, borrowed from the input when the input is UTF-8.
    #[must_use]
    pub fn cow(&self, range: Range<usize>) -> Cow<'a, str> {
        self.source.cow(range)
    }

    /// An error at a position in the text.
    #[must_use]
    pub fn error(&self, position: usize, at: &'static At, kind: Kind) -> DecodeError {
        DecodeError::new(self.source.wire(position), at, kind)
    }

    /// [`Context::must`] at a position in the text.
    ///
    /// # Errors
    /// When `ok` is false under [`Policy::Strict`](crate::Policy::Strict).
    #[inline]
    pub fn must(&self, ok: bool, position: usize, at: &'static At, kind: Kind) -> Result<(), DecodeError> {
        if ok { Ok(()) } else { self.context.must(false, self.source.wire(position), at, kind) }
    }

    /// Deviations noted so far.
    pub(crate) fn deviations(&self) -> usize {
        self.context.deviations()
    }

    /// Records a part of the text as a field.
    #[inline]
    pub fn field(&self, range: Range<usize>, at: &'static At) {
        if self.context.tracing() {
            let (start, end) = (self.source.wire(range.start), self.source.wire(range.end));
            self.context.field(start, end.saturating_sub(start), at, self.source.encoding.format());
        }
    }

    /// Gives the field recorded last the specification's name for its value.
    pub fn note(&self, note: Option<&'static str>) {
        self.context.note(note);
    }

    /// Marks the field recorded last as secret; the decoded text is then wiped after reading.
    pub fn secret(&self) {
        self.source.secret.set(true);
        self.context.secret();
    }

    /// Records a structure at the position in front of the cursor; see [`Context::open`].
    pub fn open(&self, at: &'static At) -> Group {
        self.open_at(self.position, at)
    }

    /// Records a structure at a position in the text.
    pub fn open_at(&self, position: usize, at: &'static At) -> Group {
        self.context.open(self.source.wire(position), at)
    }

    /// Ends a structure at the cursor.
    pub fn close(&self, group: Group) {
        self.close_at(group, self.position);
    }

    /// Ends a structure at a position in the text.
    pub fn close_at(&self, group: Group, position: usize) {
        self.context.close(group, self.source.wire(position));
    }
}
