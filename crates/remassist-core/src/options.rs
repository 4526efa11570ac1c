//! What the caller decides about decoding.

/// What happens when a MUST of the specification is broken that leaves the meaning clear.
///
/// Lengths, offsets and terminators that would make the reading ambiguous are errors under both policies. Strict
/// decoding succeeds exactly when tolerant decoding succeeds without a [`Deviation`](crate::Deviation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Policy {
    /// Note a [`Deviation`](crate::Deviation) and go on.
    #[default]
    Tolerant,
    /// Fail.
    Strict,
}

/// Bounds on what a decoder accepts. Reaching one is an error under both policies.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole input.
    pub message: usize,
    /// Bytes of one string or attribute value.
    pub string: usize,
    /// Elements of one list.
    pub items: usize,
    /// Depth of nesting.
    pub depth: usize,
}

impl Limits {
    /// 16 MiB messages, 4 MiB strings, 65,536 elements in a list, 16 levels.
    pub const DEFAULT: Self = Self { message: 16 << 20, string: 4 << 20, items: 65_536, depth: 16 };

    /// Replaces the bound on the whole input.
    #[must_use]
    pub const fn with_message(mut self, bytes: usize) -> Self {
        self.message = bytes;
        self
    }

    /// Replaces the bound on one string.
    #[must_use]
    pub const fn with_string(mut self, bytes: usize) -> Self {
        self.string = bytes;
        self
    }

    /// Replaces the bound on one list.
    #[must_use]
    pub const fn with_items(mut self, items: usize) -> Self {
        self.items = items;
        self
    }

    /// Replaces the bound on nesting.
    #[must_use]
    pub const fn with_depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Policy, limits, and whether to record every field.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecodeOptions {
    /// Strict or tolerant.
    pub policy: Policy,
    /// Bounds on the input.
    pub limits: Limits,
    /// Record every field read; see [`Decoded::trace`](crate::Decoded::trace).
    pub trace: bool,
}

impl DecodeOptions {
    /// Tolerant, default limits, no trace.
    pub const TOLERANT: Self = Self { policy: Policy::Tolerant, limits: Limits::DEFAULT, trace: false };
    /// Every MUST of the specification, default limits, no trace.
    pub const STRICT: Self = Self { policy: Policy::Strict, limits: Limits::DEFAULT, trace: false };

    /// The same with other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same with the record of fields switched on or off.
    #[must_use]
    pub const fn with_trace(mut self, trace: bool) -> Self {
        self.trace = trace;
        self
    }
}
