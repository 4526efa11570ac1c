//! Records and pointers in lists of calls, and methods by their names in errors.

use serde_json::{Value, json};

use crate::{CLASS, Desk};

const LINE: &str = "{a7c1b6de-0b1f-4e5f-9d4c-2a6b1f0e3d55}";
const LIBRARY: &str = "{1d3a52b4-66b8-4fd1-8a50-4f1b1a0a9a01}";

/// A list of calls with a record.
fn list() -> Value {
    let line = json!({ "article": "Cog", "price": "2.5000", "wanted": "2026-12-01T00:00:00", "note": null });
    let noted =
        json!({ "article": "Box", "price": "0.0000", "wanted": "2026-12-02T12:00:00", "note": "fragile" });
    json!({
        "target": CLASS,
        "interfaces": [{
            "iid": "{8f2c1a70-0d4e-4a35-b1c6-7e9d3a5f2b10}", "name": "IOrderEntry", "dual": true,
            "records": [{
                "name": "Line", "guid": LINE, "library": { "guid": LIBRARY, "major": 1, "minor": 0 },
                "fields": [
                    { "name": "article", "type": "BSTR" },
                    { "name": "price", "type": "CURRENCY" },
                    { "name": "wanted", "type": "DATE" },
                    { "name": "note", "type": "[unique] BSTR*" },
                ],
            }],
            "methods": [
                { "name": "AddLine", "number": 8, "dispid": 2, "parameters": [
                    { "name": "line", "type": "record Line" },
                    { "name": "discount", "type": "[unique] double*" },
                ] },
                { "name": "AddLines", "number": 9, "dispid": 3, "parameters": [
                    { "name": "lines", "type": "SAFEARRAY(record Line)" },
                    { "name": "any", "type": "VARIANT" },
                ] },
            ],
        }],
        "calls": [
            { "interface": "IOrderEntry", "method": "AddLine", "arguments": { "line": line, "discount": 0.5 } },
            { "interface": "IOrderEntry", "method": "AddLine", "arguments": { "line": noted, "discount": null } },
            { "interface": "IOrderEntry", "method": "AddLines", "arguments": {
                "lines": [line, noted], "any": { "type": "record Line", "value": noted } } },
            { "dispatch": "AddLine", "arguments": { "line": line, "discount": 0.5 } },
            { "dispatch": 77, "arguments": [{ "type": "record Line", "value": line }] },
        ],
    })
}

#[test]
fn records_are_shown_and_handed_on_as_they_were_written() {
    let desk = Desk::new();
    desk.write("lines.json", &list());
    desk.run(&["record", "lines.json"]).lines();
    let shown = desk.run(&["show", "--json", "--interfaces", "lines.json"]).lines()[0].clone();
    let expected = list();
    let arguments = |of: &Value| -> Vec<Value> {
        of["calls"].as_array().unwrap().iter().map(|call| call["arguments"].clone()).collect()
    };
    assert_eq!(arguments(&shown), arguments(&expected));
    // What is shown can be recorded again.
    let mut calls = shown["calls"].clone();
    for call in calls.as_array_mut().unwrap().iter_mut().filter_map(Value::as_object_mut) {
        call.remove("call");
        call.remove("claims");
    }
    let again = json!({ "target": CLASS, "interfaces": expected["interfaces"], "calls": calls });
    desk.write("again.json", &again);
    desk.run(&["record", "again.json"]).lines();
    let run = desk.play(&["--exec", "cat >> calls.out", "--interfaces", "lines.json"]);
    assert_eq!(run.status, 0, "{}", run.said);
    let calls = std::fs::read_to_string(desk.path("calls.out")).unwrap();
    let calls: Vec<Value> = calls.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(calls.len(), 10);
    for (call, expected) in calls.iter().zip(arguments(&expected).iter().cycle()) {
        assert_eq!(&call["arguments"], expected);
    }
}

#[test]
fn a_field_that_is_wrong_is_told_by_its_name() {
    let desk = Desk::new();
    for (place, value, told) in [
        (
            "/calls/0/arguments/line/price",
            json!("much"),
            "call 1: IOrderEntry.AddLine: argument line: field price: ",
        ),
        (
            "/calls/0/arguments/line",
            json!({}),
            "call 1: IOrderEntry.AddLine: argument line: field article: left out",
        ),
        (
            "/interfaces/0/records/0/fields/0/type",
            json!("record Line"),
            "interface 1 IOrderEntry: record Line: ",
        ),
    ] {
        let mut list = list();
        *list.pointer_mut(place).unwrap() = value;
        desk.write("bad.json", &list);
        let run = desk.run(&["record", "bad.json"]);
        assert!(run.fault(1).starts_with(&format!("bad.json: {told}")), "{}", run.said);
    }
}

#[test]
fn a_call_that_failed_is_told_by_its_name_where_a_table_is() {
    let desk = Desk::new();
    for (number, told) in [
        (1, "IOrderEntry.NewOrder (method 7 of {8f2c1a70-0d4e-4a35-b1c6-7e9d3a5f2b10})"),
        (3, "IOrderEntry.Submit (DISPID 3 of IDispatch)"),
        (4, "DISPID 4 of IDispatch"),
    ] {
        desk.send("poison");
        let exec = format!("test $REMASSIST_CALL != {number}");
        let run = desk.play(&["--exec", &exec, "--interfaces", "calls.json"]);
        let error = run.events("retry")[0]["error"].as_str().unwrap().to_owned();
        assert_eq!(error, format!("call {number} of 4, {told}: exit status 1"));
    }
}
