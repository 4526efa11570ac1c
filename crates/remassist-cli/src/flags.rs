//! Bits of flag fields by their names.

use std::fmt::Write as _;

use remassist::core::At;

/// The names of a field's bits: how many bits, and the name; without a name they are reserved.
type Bits = &'static [(u32, &'static str)];

/// Structure and field, and the bits from the lowest up.
static FIELDS: &[(&str, &str, Bits)] = &[
    ("BaseHeader", "Flags", &[(3, "PR"), (1, "IN"), (1, "SH"), (1, "DH"), (2, ""), (1, "TR")]),
    (
        "UserHeader",
        "Flags",
        &[
            (5, "RC"),
            (2, "DM"),
            (1, ""),
            (1, "JN"),
            (1, "JP"),
            (3, "DQ"),
            (3, "AQ"),
            (3, "RQ"),
            (1, "SH"),
            (1, "TH"),
            (1, "MP"),
            (1, "CQ"),
            (1, "MQ"),
            (1, ""),
            (1, "AH"),
            (2, ""),
            (1, "HH"),
        ],
    ),
    ("MessagePropertiesHeader", "Flags", &[(1, "PA"), (1, "PR"), (1, "NA"), (1, "NR")]),
    ("TransactionHeader", "Flags", &[(1, "CG"), (1, "FA"), (1, "FM"), (1, "LM"), (20, "ID")]),
    ("SecurityHeader", "Flags", &[(4, "ST"), (1, "AU"), (1, "EB"), (1, "DE"), (1, "AI"), (4, "AS")]),
    ("DebugHeader", "Flags", &[(2, "QT")]),
    ("InternalHeader", "Flags", &[(4, "PT"), (1, "CS")]),
    ("EstablishConnectionHeader", "OperatingSystem", &[(8, "RE"), (1, "SE"), (1, "OS"), (1, "QS")]),
    ("Ping Packet", "Flags", &[(1, "RC"), (1, "RF")]),
    ("ExtensionHeader", "Flags", &[(1, "DL"), (1, "SQ"), (1, ""), (1, "DI"), (1, "EA")]),
];

/// What is set, as ` PR=3 IN`: of one bit its name, of several their number too. Nothing where no bit has a name.
pub fn names(at: &At, number: u64) -> String {
    let mut text = String::new();
    let found = FIELDS.iter().find(|(structure, field, _)| at.structure == *structure && at.field == *field);
    let mut rest = number;
    for (width, name) in found.map(|(.., bits)| *bits).unwrap_or_default() {
        let value = rest & !u64::MAX.wrapping_shl(*width);
        rest = rest.wrapping_shr(*width);
        let _infallible = match (name, width, value) {
            (&"", ..) | (.., 0) => Ok(()),
            (_, 1, _) => write!(text, " {name}"),
            _ => write!(text, " {name}={value}"),
        };
    }
    text
}
