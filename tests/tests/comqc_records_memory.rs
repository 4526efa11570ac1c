//! What is claimed of records takes no memory, what is there a bounded multiple of its bytes.

use comqc_session::{Interface, MethodKind, Plain};
use ndr_oaut::{Elements, PSafeArray, Record, Variant};
use remassist_core::DecodeOptions;
use serde_json::json;
use testkit::memory::{Counting, most_memory};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const KIB: isize = 1024;

/// Most bytes that it takes, beside those that are there.
fn takes(act: impl FnOnce()) -> isize {
    most_memory();
    let before = most_memory();
    act();
    most_memory() - before
}

/// The only test of its file, so that no other one allocates meanwhile.
#[test]
fn claims_of_records_take_no_memory() {
    let table: Interface = serde_json::from_value(json!({
        "iid": "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "name": "I",
        "records": [{
            "name": "R", "guid": "a7c1b6de-0b1f-4e5f-9d4c-2a6b1f0e3d55",
            "library": { "guid": "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "major": 1, "minor": 0 },
            "fields": [{ "name": "a", "type": "SAFEARRAY(long)" }, { "name": "b", "type": "[unique] BSTR*" }],
        }, { "name": "Small", "guid": "a7c1b6de-0b1f-4e5f-9d4c-2a6b1f0e3d56",
            "library": { "guid": "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "major": 1, "minor": 0 },
            "fields": [{ "name": "a", "type": "char" }] }],
        "methods": [
            { "name": "One", "number": 3, "parameters": [{ "name": "x", "type": "record R" }] },
            { "name": "Many", "number": 4, "parameters": [{ "name": "x", "type": "SAFEARRAY(record Small)" }] },
        ],
    }))
    .unwrap();
    let method = |name| table.method(name, MethodKind::Method).unwrap();
    let value = |name, told| {
        let ty = &method(name).parameters[0].ty;
        serde_json::from_value::<Plain>(told).unwrap().value(ty).unwrap()
    };

    // Every number of a record is as large as it can be.
    let bytes = method("One").encode(&[value("One", json!({ "a": [1, 2], "b": "text" }))]).unwrap();
    for at in (0..bytes.len()).step_by(4) {
        let mut bytes = bytes.clone();
        bytes[at..at + 4].copy_from_slice(&0x7FFF_FFFF_u32.to_le_bytes());
        let taken = takes(|| drop(method("One").decode(&bytes, &DecodeOptions::TOLERANT)));
        assert!(taken < 64 * KIB, "byte {at}: {taken} bytes");
    }

    // Arrays that claim more than they have, and as many elements as there may be.
    let Variant::Array { vt, array: Some(PSafeArray { safearray: Some(array) }) } =
        value("Many", json!([{ "a": 1 }]))
    else {
        panic!()
    };
    for (claimed, there) in [(u32::MAX, 1), (65_535, 1), (65_535, 65_535), (1 << 20, 1 << 20)] {
        let mut array = array.clone();
        array.bounds[0].elements = claimed;
        let Elements::Record(records) = &mut array.elements else { panic!() };
        let mut content = u32::try_from(there + 4).unwrap().to_le_bytes().to_vec();
        content.resize(there + 4, 7);
        let record = records[0].take().unwrap();
        records[0] = Some(Record { records: Some(content.into()), ..record });
        let value = Variant::Array { vt, array: Some(PSafeArray { safearray: Some(array) }) };
        let ty = &method("Many").parameters[0].ty;
        let taken = takes(|| drop(Plain::of(ty, &value)));
        let most = 64 * KIB + 1024 * isize::try_from(there).unwrap();
        assert!(taken < most, "{claimed} claimed, {there} there: {taken} bytes");
    }
}
