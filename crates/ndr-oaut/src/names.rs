//! Numbers with names ([MS-OAUT] 2.2.7 to 2.2.9).

/// Names are all that there is to say of these.
macro_rules! names {
    ($(#[$doc:meta])* $type:ident($inner:ty) { $($name:ident = $value:literal, $wire:literal;)* }) => {
        remassist_core::named_numbers! {
            $(#[$doc])*
            #[derive(Default)]
            $type($inner) {
                $(#[doc = concat!("`", $wire, "`, ", stringify!($value), ".")] $name = $value, $wire;)*
            }
        }
    };
}
names! {
    /// `VARENUM` ([MS-OAUT] 2.2.7), 16 bits: a type, with the flags [`ARRAY`](Self::ARRAY) and [`BYREF`](Self::BYREF).
    VarType(u16) {
        EMPTY = 0x0000, "VT_EMPTY";
        NULL = 0x0001, "VT_NULL";
        I2 = 0x0002, "VT_I2";
        I4 = 0x0003, "VT_I4";
        R4 = 0x0004, "VT_R4";
        R8 = 0x0005, "VT_R8";
        CY = 0x0006, "VT_CY";
        DATE = 0x0007, "VT_DATE";
        BSTR = 0x0008, "VT_BSTR";
        DISPATCH = 0x0009, "VT_DISPATCH";
        ERROR = 0x000A, "VT_ERROR";
        BOOL = 0x000B, "VT_BOOL";
        VARIANT = 0x000C, "VT_VARIANT";
        UNKNOWN = 0x000D, "VT_UNKNOWN";
        DECIMAL = 0x000E, "VT_DECIMAL";
        I1 = 0x0010, "VT_I1";
        UI1 = 0x0011, "VT_UI1";
        UI2 = 0x0012, "VT_UI2";
        UI4 = 0x0013, "VT_UI4";
        I8 = 0x0014, "VT_I8";
        UI8 = 0x0015, "VT_UI8";
        INT = 0x0016, "VT_INT";
        UINT = 0x0017, "VT_UINT";
        RECORD = 0x0024, "VT_RECORD";
        ARRAY = 0x2000, "VT_ARRAY";
        BYREF = 0x4000, "VT_BYREF";
    }
}

impl VarType {
    /// Whether [`ARRAY`](Self::ARRAY) is set.
    #[must_use]
    pub fn is_array(self) -> bool {
        self.0 & Self::ARRAY.0 != 0
    }

    /// Whether [`BYREF`](Self::BYREF) is set.
    #[must_use]
    pub fn is_by_ref(self) -> bool {
        self.0 & Self::BYREF.0 != 0
    }

    /// The same type by reference.
    #[must_use]
    pub fn by_ref(self) -> Self {
        Self(self.0 | Self::BYREF.0)
    }

    /// An array of this type.
    #[must_use]
    pub fn array(self) -> Self {
        Self(self.0 | Self::ARRAY.0)
    }

    /// The type without flags.
    #[must_use]
    pub fn base(self) -> Self {
        Self(self.0 & !(Self::ARRAY.0 | Self::BYREF.0))
    }
}

names! {
    /// `SF_TYPE` ([MS-OAUT] 2.2.8), 32 bits: how the elements of a SAFEARRAY are marshaled.
    SfType(u32) {
        ERROR = 0x000A, "SF_ERROR";
        I1 = 0x0010, "SF_I1";
        I2 = 0x0002, "SF_I2";
        I4 = 0x0003, "SF_I4";
        I8 = 0x0014, "SF_I8";
        BSTR = 0x0008, "SF_BSTR";
        UNKNOWN = 0x000D, "SF_UNKNOWN";
        DISPATCH = 0x0009, "SF_DISPATCH";
        VARIANT = 0x000C, "SF_VARIANT";
        RECORD = 0x0024, "SF_RECORD";
        HAVEIID = 0x800D, "SF_HAVEIID";
    }
}

impl SfType {
    /// Size of an element, in bytes, as cbElements tells it ([MS-OAUT] 2.2.8).
    #[must_use]
    pub fn element_size(self) -> Option<u32> {
        Some(match self {
            Self::I1 => 1,
            Self::I2 => 2,
            Self::I8 => 8,
            Self::VARIANT => 16,
            Self::I4 | Self::BSTR | Self::UNKNOWN | Self::DISPATCH | Self::RECORD | Self::HAVEIID => 4,
            _ => return None,
        })
    }

    /// Whether elements of a type are marshaled so ([MS-OAUT] 2.2.30.10, second table).
    #[must_use]
    pub fn holds(self, vt: VarType) -> bool {
        match vt {
            VarType::I1 | VarType::UI1 => self == Self::I1,
            VarType::I2 | VarType::UI2 | VarType::BOOL => self == Self::I2,
            VarType::ERROR | VarType::I4 | VarType::UI4 | VarType::R4 | VarType::INT | VarType::UINT => {
                self == Self::I4
            }
            VarType::I8 | VarType::UI8 | VarType::R8 | VarType::CY | VarType::DATE => self == Self::I8,
            VarType::BSTR => self == Self::BSTR,
            VarType::VARIANT => self == Self::VARIANT,
            VarType::UNKNOWN => self == Self::UNKNOWN || self == Self::HAVEIID,
            VarType::DISPATCH => self == Self::DISPATCH || self == Self::HAVEIID,
            VarType::RECORD => self == Self::RECORD,
            _ => false,
        }
    }
}

names! {
    /// `ADVFEATUREFLAGS` ([MS-OAUT] 2.2.9), 16 bits; [`name`](Self::name) knows single flags.
    Features(u16) {
        AUTO = 0x0001, "FADF_AUTO";
        STATIC = 0x0002, "FADF_STATIC";
        EMBEDDED = 0x0004, "FADF_EMBEDDED";
        FIXEDSIZE = 0x0010, "FADF_FIXEDSIZE";
        RECORD = 0x0020, "FADF_RECORD";
        HAVEIID = 0x0040, "FADF_HAVEIID";
        HAVEVARTYPE = 0x0080, "FADF_HAVEVARTYPE";
        BSTR = 0x0100, "FADF_BSTR";
        UNKNOWN = 0x0200, "FADF_UNKNOWN";
        DISPATCH = 0x0400, "FADF_DISPATCH";
        VARIANT = 0x0800, "FADF_VARIANT";
    }
}

impl Features {
    /// Whether all flags of `other` are set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of flags.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the flags fit the marshaling of the elements ([MS-OAUT] 2.2.30.10, first table).
    #[must_use]
    pub fn fit(self, sf_type: SfType) -> bool {
        // How the memory was allocated is ignored on receipt.
        let ignored = Self::AUTO.with(Self::STATIC).with(Self::EMBEDDED).with(Self::FIXEDSIZE);
        let flags = Self(self.0 & !ignored.0);
        let kinds: &[Self] = match sf_type {
            SfType::HAVEIID => {
                let kinds = [Self::UNKNOWN, Self::DISPATCH].map(|kind| kind.with(Self::HAVEIID));
                return kinds.contains(&flags);
            }
            SfType::BSTR => &[Self::BSTR],
            SfType::UNKNOWN => &[Self::UNKNOWN],
            SfType::DISPATCH => &[Self::DISPATCH],
            SfType::VARIANT => &[Self::VARIANT],
            SfType::RECORD => return flags == Self::RECORD,
            _ => return true,
        };
        let with_iid = matches!(sf_type, SfType::UNKNOWN | SfType::DISPATCH);
        kinds.iter().any(|kind| {
            flags == *kind
                || flags == kind.with(Self::HAVEVARTYPE)
                || (with_iid && flags == kind.with(Self::HAVEIID))
        })
    }
}
