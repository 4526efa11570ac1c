//! What calls answer: HRESULT and error_status_t ([MS-ERREF] 2.1, 2.2).

use core::fmt;

macro_rules! codes {
    ($(#[$doc:meta])* $type:ident { $($name:ident = $value:literal, $wire:literal, $section:literal, $meaning:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $type(pub u32);

        impl $type {
            $(#[doc = concat!("`", $wire, "`, ", stringify!($value), " (", $section, "): ", $meaning, ".")]
            pub const $name: Self = Self($value);)*

            /// Those with a name.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The specification's name, where it is one of those known here.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($wire),)*
                    _ => None,
                }
            }

            /// What it means to a person, where it is one of those known here.
            #[must_use]
            pub fn meaning(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($meaning),)*
                    _ => None,
                }
            }

            /// Document and section that tell it, where it is one of those known here.
            #[must_use]
            pub fn section(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($section),)*
                    _ => None,
                }
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => write!(f, "{}({:#010x} {name})", stringify!($type), self.0),
                    None => write!(f, "{}({:#010x})", stringify!($type), self.0),
                }
            }
        }

        /// Name, number and meaning, as far as they are known.
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match (self.name(), self.meaning()) {
                    (Some(name), Some(meaning)) => write!(f, "{name} ({:#010x}): {meaning}", self.0),
                    _ => write!(f, "{:#010x}", self.0),
                }
            }
        }

        impl core::error::Error for $type {}
    };
}

codes! {
    /// An HRESULT ([MS-ERREF] 2.1), 32 bits: the highest bit tells failure. As an error it tells name and meaning.
    HResult {
        S_OK = 0x0000_0000, "S_OK", "[MS-ERREF] 2.1.1", "the call succeeded";
        S_FALSE = 0x0000_0001, "S_FALSE", "[MS-ERREF] 2.1.1", "the call succeeded, the answer is no";
        E_INVALIDARG_AS_PRINTED = 0x8000_0003, "E_INVALIDARG", "[MS-RAI] 3.1.4.1.2.2", "an argument is not valid";
        E_NOTIMPL = 0x8000_4001, "E_NOTIMPL", "[MS-ERREF] 2.1.1", "the method is not there";
        E_NOINTERFACE = 0x8000_4002, "E_NOINTERFACE", "[MS-DCOM] 3.1.1.5.6.1.1", "the object has no such interface";
        E_POINTER = 0x8000_4003, "E_POINTER", "[MS-RAI] 3.3.4.1.1", "a pointer is not valid";
        E_ABORT = 0x8000_4004, "E_ABORT", "[MS-ERREF] 2.1.1", "the operation was given up";
        E_FAIL = 0x8000_4005, "E_FAIL", "[MS-ERREF] 2.1.1", "something failed";
        CO_E_CANT_REMOTE = 0x8000_4013, "CO_E_CANT_REMOTE", "[MS-ERREF] 2.1.1", "the object may not be made for another computer";
        CO_E_WRONG_SERVER_IDENTITY = 0x8000_4015, "CO_E_WRONG_SERVER_IDENTITY", "[MS-ERREF] 2.1.1", "the class runs as another account";
        CO_E_RUNAS_LOGON_FAILURE = 0x8000_401A, "CO_E_RUNAS_LOGON_FAILURE", "[MS-DCOM] 3.1.2.5.2.3", "the object cannot be made in the session asked for";
        CO_E_LAUNCH_PERMSSION_DENIED = 0x8000_401B, "CO_E_LAUNCH_PERMSSION_DENIED", "[MS-ERREF] 2.1.1", "the caller may not start this server";
        CO_E_REMOTE_COMMUNICATION_FAILURE = 0x8000_401D, "CO_E_REMOTE_COMMUNICATION_FAILURE", "[MS-ERREF] 2.1.1", "the computer of the server could not be reached";
        CO_E_SERVER_START_TIMEOUT = 0x8000_401E, "CO_E_SERVER_START_TIMEOUT", "[MS-ERREF] 2.1.1", "the server was started and did not answer";
        E_UNEXPECTED = 0x8000_FFFF, "E_UNEXPECTED", "[MS-ERREF] 2.1.1", "something happened that should not";
        RPC_E_CALL_REJECTED = 0x8001_0001, "RPC_E_CALL_REJECTED", "[MS-ERREF] 2.1.1", "the server did not take the call";
        RPC_E_OUT_OF_RESOURCES = 0x8001_0101, "RPC_E_OUT_OF_RESOURCES", "[MS-ERREF] 2.1.1", "something needed is used up";
        RPC_E_NOT_REGISTERED = 0x8001_0103, "RPC_E_NOT_REGISTERED", "[MS-ERREF] 2.1.1", "the server does not have the interface";
        RPC_E_FAULT = 0x8001_0104, "RPC_E_FAULT", "[MS-ERREF] 2.1.1", "the call could not be made or answered";
        RPC_E_SERVERFAULT = 0x8001_0105, "RPC_E_SERVERFAULT", "[MS-ERREF] 2.1.1", "the server failed inside the call";
        RPC_E_INVALIDMETHOD = 0x8001_0107, "RPC_E_INVALIDMETHOD", "[MS-ERREF] 2.1.1", "the server does not have the method";
        RPC_E_DISCONNECTED = 0x8001_0108, "RPC_E_DISCONNECTED", "[MS-ERREF] 2.1.1", "the object is gone";
        RPC_E_RETRY = 0x8001_0109, "RPC_E_RETRY", "[MS-ERREF] 2.1.1", "the object wants to be asked again later";
        RPC_E_SERVERCALL_RETRYLATER = 0x8001_010A, "RPC_E_SERVERCALL_RETRYLATER", "[MS-ERREF] 2.1.1", "the server is busy";
        RPC_E_SERVERCALL_REJECTED = 0x8001_010B, "RPC_E_SERVERCALL_REJECTED", "[MS-ERREF] 2.1.1", "the server refused the call";
        RPC_E_VERSION_MISMATCH = 0x8001_0110, "RPC_E_VERSION_MISMATCH", "[MS-DCOM] 3.1.2.5.2.3", "the server does not speak this version of DCOM";
        RPC_E_INVALID_HEADER = 0x8001_0111, "RPC_E_INVALID_HEADER", "[MS-ERREF] 2.1.1", "the header of the call is not valid";
        RPC_E_INVALID_EXTENSION = 0x8001_0112, "RPC_E_INVALID_EXTENSION", "[MS-ERREF] 2.1.1", "an extension of the call is not valid";
        RPC_E_INVALID_IPID = 0x8001_0113, "RPC_E_INVALID_IPID", "[MS-ERREF] 2.1.1", "the interface called is not there";
        RPC_E_INVALID_OBJECT = 0x8001_0114, "RPC_E_INVALID_OBJECT", "[MS-DCOM] 3.1.1.5.6.1.1", "the object is not there";
        RPC_E_UNSECURE_CALL = 0x8001_0118, "RPC_E_UNSECURE_CALL", "[MS-ERREF] 2.1.1", "the call is not protected enough";
        RPC_E_ACCESS_DENIED = 0x8001_011B, "RPC_E_ACCESS_DENIED", "[MS-ERREF] 2.1.1", "the caller may not make calls";
        RPC_E_REMOTE_DISABLED = 0x8001_011C, "RPC_E_REMOTE_DISABLED", "[MS-ERREF] 2.1.1", "the server takes no calls of other computers";
        RPC_E_INVALID_OBJREF = 0x8001_011D, "RPC_E_INVALID_OBJREF", "[MS-DCOM] 3.1.2.5.2.3", "an object reference is not valid";
        RPC_E_TIMEOUT = 0x8001_011F, "RPC_E_TIMEOUT", "[MS-ERREF] 2.1.1", "the call took too long";
        RPC_E_UNEXPECTED = 0x8001_FFFF, "RPC_E_UNEXPECTED", "[MS-ERREF] 2.1.1", "something happened inside a call that should not";
        DISP_E_UNKNOWNINTERFACE = 0x8002_0001, "DISP_E_UNKNOWNINTERFACE", "[MS-OAUT] 3.1.4.3", "riid is not IID_NULL";
        DISP_E_MEMBERNOTFOUND = 0x8002_0003, "DISP_E_MEMBERNOTFOUND", "[MS-OAUT] 3.1.4.4", "no member has this number";
        DISP_E_PARAMNOTFOUND = 0x8002_0004, "DISP_E_PARAMNOTFOUND", "[MS-OAUT] 3.1.4.4", "no parameter has this number";
        DISP_E_TYPEMISMATCH = 0x8002_0005, "DISP_E_TYPEMISMATCH", "[MS-OAUT] 3.1.4.4", "an argument has the wrong type";
        DISP_E_UNKNOWNNAME = 0x8002_0006, "DISP_E_UNKNOWNNAME", "[MS-OAUT] 3.1.4.3", "no member has this name";
        DISP_E_NONAMEDARGS = 0x8002_0007, "DISP_E_NONAMEDARGS", "[MS-OAUT] 3.1.4.4", "arguments cannot be named";
        DISP_E_BADVARTYPE = 0x8002_0008, "DISP_E_BADVARTYPE", "[MS-OAUT] 3.1.4.4", "an argument has no known type";
        DISP_E_EXCEPTION = 0x8002_0009, "DISP_E_EXCEPTION", "[MS-OAUT] 3.1.4.4", "the member failed; the exception tells why";
        DISP_E_OVERFLOW = 0x8002_000A, "DISP_E_OVERFLOW", "[MS-OAUT] 3.1.4.4", "an argument is too large for its parameter";
        DISP_E_BADINDEX = 0x8002_000B, "DISP_E_BADINDEX", "[MS-OAUT] 3.1.4.2", "iTInfo is not 0";
        DISP_E_UNKNOWNLCID = 0x8002_000C, "DISP_E_UNKNOWNLCID", "[MS-OAUT] 3.1.4.4", "the language is not known";
        DISP_E_BADPARAMCOUNT = 0x8002_000E, "DISP_E_BADPARAMCOUNT", "[MS-OAUT] 3.1.4.4", "there are too many or too few arguments";
        DISP_E_PARAMNOTOPTIONAL = 0x8002_000F, "DISP_E_PARAMNOTOPTIONAL", "[MS-OAUT] 3.1.4.4", "an argument is missing";
        CLASS_E_NOAGGREGATION = 0x8004_0110, "CLASS_E_NOAGGREGATION", "[MS-ERREF] 2.1.1", "the object cannot be part of another";
        CLASS_E_CLASSNOTAVAILABLE = 0x8004_0111, "CLASS_E_CLASSNOTAVAILABLE", "[MS-ERREF] 2.1.1", "the class cannot be had";
        REGDB_E_CLASSNOTREG = 0x8004_0154, "REGDB_E_CLASSNOTREG", "[MS-DCOM] 3.1.2.5.2.3", "the server does not have the class";
        REGDB_E_IIDNOTREG = 0x8004_0155, "REGDB_E_IIDNOTREG", "[MS-ERREF] 2.1.1", "the server does not know the interface";
        CO_E_OBJNOTREG = 0x8004_01FB, "CO_E_OBJNOTREG", "[MS-DCOM] 3.1.1.5.6.1.2", "the object is not registered";
        CO_E_OBJNOTCONNECTED = 0x8004_01FD, "CO_E_OBJNOTCONNECTED", "[MS-ERREF] 2.1.1", "the object has no server";
        E_ACCESSDENIED = 0x8007_0005, "E_ACCESSDENIED", "[MS-RAI] 3.1.4.1.1", "the caller may not do this";
        E_OUTOFMEMORY = 0x8007_000E, "E_OUTOFMEMORY", "[MS-RAI] 3.1.4.1.1", "there is not enough memory";
        ERROR_CANNOT_MAKE = 0x8007_0052, "ERROR_CANNOT_MAKE", "[MS-RAI] 3.3.4.1.1", "Remote Assistance is already running on the novice's computer";
        E_INVALIDARG = 0x8007_0057, "E_INVALIDARG", "[MS-ERREF] 2.1.1", "an argument is not valid";
        ERROR_ACCESS_DISABLED_BY_POLICY = 0x8007_04EC, "ERROR_ACCESS_DISABLED_BY_POLICY", "[MS-RAI] 3.1.4.1.1", "a policy of the novice's computer forbids it";
        ERROR_NONE_MAPPED = 0x8007_0534, "ERROR_NONE_MAPPED", "[MS-RAI] 3.1.4.1.1", "the novice's computer does not know the user";
        RPC_S_SERVER_UNAVAILABLE = 0x8007_06BA, "RPC_S_SERVER_UNAVAILABLE", "[MS-ERREF] 2.2", "the server cannot be reached";
        RPC_S_CALL_FAILED_DNE = 0x8007_06BF, "RPC_S_CALL_FAILED_DNE", "[MS-ERREF] 2.2", "the call failed before it was made";
        CO_E_CLASS_CREATE_FAILED = 0x8008_0001, "CO_E_CLASS_CREATE_FAILED", "[MS-ERREF] 2.1.1", "the class object could not be made";
        CO_E_SCM_ERROR = 0x8008_0002, "CO_E_SCM_ERROR", "[MS-ERREF] 2.1.1", "the activation service could not reach the object";
        CO_E_SCM_RPC_FAILURE = 0x8008_0003, "CO_E_SCM_RPC_FAILURE", "[MS-ERREF] 2.1.1", "the activation service could not be asked";
        CO_E_SERVER_EXEC_FAILURE = 0x8008_0005, "CO_E_SERVER_EXEC_FAILURE", "[MS-ERREF] 2.1.1", "the server could not be started";
        CO_E_OBJSRV_RPC_FAILURE = 0x8008_0006, "CO_E_OBJSRV_RPC_FAILURE", "[MS-ERREF] 2.1.1", "the activation service could not ask the server";
        CO_E_SERVER_STOPPING = 0x8008_0008, "CO_E_SERVER_STOPPING", "[MS-ERREF] 2.1.1", "the server is stopping";
    }
}

impl HResult {
    /// The HRESULT of a Win32 error code ([MS-ERREF] 2.1.2): 0 stays 0.
    #[must_use]
    pub const fn from_win32(code: u16) -> Self {
        // No `From` in constants.
        let [low, high] = code.to_le_bytes();
        Self(if code == 0 { 0 } else { u32::from_le_bytes([low, high, 0x07, 0x80]) })
    }

    /// The Win32 error code inside, where it is one.
    #[must_use]
    pub const fn win32(self) -> Option<u16> {
        match self.0.to_le_bytes() {
            [low, high, 0x07, 0x80] => Some(u16::from_le_bytes([low, high])),
            _ => None,
        }
    }

    /// Whether it tells success.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 >> 31 == 0
    }

    /// Whether it tells that an argument is not valid, in either number.
    #[must_use]
    pub const fn is_invalid_arg(self) -> bool {
        matches!(self, Self::E_INVALIDARG | Self::E_INVALIDARG_AS_PRINTED)
    }

    /// Itself as the error of a call.
    ///
    /// # Errors
    /// Itself when it tells failure.
    pub const fn ok(self) -> Result<(), Self> {
        if self.is_success() { Ok(()) } else { Err(self) }
    }
}

codes! {
    /// An error_status_t ([MS-ERREF] 2.2), 32 bits: a Win32 error code, 0 for success. What IObjectExporter answers.
    ErrorStatus {
        SUCCESS = 0x0000_0000, "ERROR_SUCCESS", "[MS-ERREF] 2.2", "the call succeeded";
        ACCESS_DENIED = 0x0000_0005, "ERROR_ACCESS_DENIED", "[MS-DCOM] 3.1.2.5.1.1", "the caller may not do this";
        OUTOFMEMORY = 0x0000_000E, "ERROR_OUTOFMEMORY", "[MS-ERREF] 2.2", "there is not enough memory";
        INVALID_PARAMETER = 0x0000_0057, "ERROR_INVALID_PARAMETER", "[MS-ERREF] 2.2", "a parameter is not valid";
        SERVER_UNAVAILABLE = 0x0000_06BA, "RPC_S_SERVER_UNAVAILABLE", "[MS-ERREF] 2.2", "the server cannot be reached";
        INVALID_OXID = 0x0000_0776, "OR_INVALID_OXID", "[MS-DCOM] 3.1.2.5.1.1", "no such object exporter";
        INVALID_OID = 0x0000_0777, "OR_INVALID_OID", "[MS-DCOM] 3.1.2.5.1.3", "no such object";
        INVALID_SET = 0x0000_0778, "OR_INVALID_SET", "[MS-DCOM] 3.1.2.5.1.2", "no such ping set";
    }
}

impl ErrorStatus {
    /// Whether it tells success.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 == 0
    }

    /// Itself as the error of a call.
    ///
    /// # Errors
    /// Itself when it is not 0.
    pub const fn ok(self) -> Result<(), Self> {
        if self.is_success() { Ok(()) } else { Err(self) }
    }
}
