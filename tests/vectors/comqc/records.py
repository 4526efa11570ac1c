"""Encodes parameters with records and pointers with the NDR classes of impacket, for tables that a person would write.

    python3 -m venv env && env/bin/pip install impacket==0.13.1 && env/bin/python records.py > records.json

impacket fills padding with other bytes than 0 and takes referent ids at random: its fillers are made 0 when its source is
loaded, and the ids (all 0xA5xxxxxx here) are numbered from 0x00020000 in the order of the stream.
"""

import importlib.util
import json
import random
import re
import struct
import sys

spec = importlib.util.find_spec("impacket.dcerpc.v5.ndr")
source = re.sub(r"b'\\x[a-fA-F][0-9a-fA-F]'", r"b'\\x00'", open(spec.origin).read())
ndr = importlib.util.module_from_spec(spec)
sys.modules["impacket.dcerpc.v5.ndr"] = ndr
exec(compile(source, spec.origin, "exec"), ndr.__dict__)
ids = iter(range(0xA5000001, 0xA6000000))
random.randint = lambda low, high: next(ids)

from impacket.dcerpc.v5.dcom.oaut import BSTR, VARIANT  # noqa: E402
from impacket.dcerpc.v5.dtypes import DOUBLE, LONG, NULL, SHORT  # noqa: E402
from impacket.dcerpc.v5.ndr import (  # noqa: E402
    NDRCALL,
    NDRHYPER,
    NDRPOINTER,
    NDRSTRUCT,
    NDRUSMALL,
)


def structure(*fields):
    return type("RECORD", (NDRSTRUCT,), {"structure": tuple(fields)})


def pointer(referent):
    return type("POINTER", (NDRPOINTER,), {"referent": (("Data", referent),)})


def encode(fields, fill):
    call = type("CALL", (NDRCALL,), {"opnum": 3, "structure": tuple(fields)})()
    fill(call)
    data = bytearray(call.getData())
    place = 0
    for at in range(0, len(data) - 3, 4):
        if data[at + 3] == 0xA5:
            struct.pack_into("<L", data, at, 0x20000 + 4 * place)
            place += 1
    return bytes(data)


def bstr(owner, name, text):
    owner[name]["asData"] = text


def table(records, parameters):
    named = [{"name": name, "fields": [{"name": f, "type": t} for f, t in fields]} for name, fields in records]
    return {
        "iid": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "name": "ITest",
        "records": named,
        "methods": [{"name": "Do", "number": 3, "parameters": parameters}],
    }


def parameter(name, ty, **more):
    return {"name": name, "type": ty, **more}


cases = []


def case(name, table, arguments, data):
    cases.append({"name": name, "table": table, "arguments": arguments, "hex": data.hex()})


# A record by value: aligned to its largest member, texts behind it.
LINE = [("flag", "unsigned char"), ("article", "BSTR"), ("quantity", "short"), ("price", "double"), ("note", "BSTR")]
Line = structure(("flag", NDRUSMALL), ("article", BSTR), ("quantity", SHORT), ("price", DOUBLE), ("note", BSTR))


def line(record, flag, article, quantity, price, note):
    record["flag"], record["quantity"], record["price"] = flag, quantity, price
    bstr(record, "article", article)
    bstr(record, "note", note)


def by_value(call):
    call["before"] = 7
    line(call["line"], 1, "Cog", -3, 2.5, "brass")
    call["after"] = 9


PARAMETERS = [parameter("before", "unsigned char"), parameter("line", "record Line"), parameter("after", "short")]
VALUE = {"flag": 1, "article": "Cog", "quantity": -3, "price": 2.5, "note": "brass"}
FIELDS = [("before", NDRUSMALL), ("line", Line), ("after", SHORT)]
case("a record by value", table([("Line", LINE)], PARAMETERS), [7, VALUE, 9], encode(FIELDS, by_value))

# A reference pointer has no form of its own: impacket has none of these, so the record stands there itself.
PARAMETERS = [PARAMETERS[0], parameter("line", "record Line", by_ref=True), PARAMETERS[2]]
case("a reference pointer to a record", table([("Line", LINE)], PARAMETERS), [7, VALUE, 9], encode(FIELDS, by_value))

# Unique pointers to a record, a number, a text, and to nothing.
PARAMETERS = [
    parameter("count", "[unique] short*"),
    parameter("line", "[unique] record Line*"),
    parameter("big", "[unique] hyper*"),
    parameter("text", "[unique] BSTR*"),
    parameter("nothing", "[unique] long*"),
    parameter("none", "[unique] record Line*"),
]
FIELDS = [
    ("count", pointer(SHORT)),
    ("line", pointer(Line)),
    ("big", pointer(NDRHYPER)),
    ("text", pointer(BSTR)),
    ("nothing", pointer(LONG)),
    ("none", pointer(Line)),
]


def pointers(call):
    call["count"] = -2
    line(call["line"], 1, "Cog", -3, 2.5, "brass")
    call["big"] = 1 << 40
    bstr(call, "text", "at the end")
    call["nothing"] = NULL
    call["none"] = NULL


arguments = [-2, VALUE, 1 << 40, "at the end", None, None]
case("unique pointers", table([("Line", LINE)], PARAMETERS), arguments, encode(FIELDS, pointers))

# Records in records: what their pointers point to stands behind the outermost, in the order of the fields.
POINT = [("x", "unsigned char"), ("y", "hyper")]
SHAPE = [
    ("kind", "enum"),
    ("first", "record Point"),
    ("name", "BSTR"),
    ("second", "[unique] record Point*"),
    ("third", "[unique] record Point*"),
    ("weight", "[unique] double*"),
    ("tail", "unsigned char"),
]
Point = structure(("x", NDRUSMALL), ("y", NDRHYPER))
Shape = structure(
    ("kind", SHORT),
    ("first", Point),
    ("name", BSTR),
    ("second", pointer(Point)),
    ("third", pointer(Point)),
    ("weight", pointer(DOUBLE)),
    ("tail", NDRUSMALL),
)


def nested(call):
    call["number"] = 5
    shape = call["shape"]
    shape["kind"] = 2
    shape["first"]["x"], shape["first"]["y"] = 1, -1
    bstr(shape, "name", "odd")
    shape["second"]["x"], shape["second"]["y"] = 2, 3
    shape["third"] = NULL
    shape["weight"] = 0.5
    shape["tail"] = 255
    call["after"] = 6


PARAMETERS = [parameter("number", "long"), parameter("shape", "record Shape"), parameter("after", "long")]
FIELDS = [("number", LONG), ("shape", Shape), ("after", LONG)]
VALUE = {
    "kind": 2,
    "first": {"x": 1, "y": -1},
    "name": "odd",
    "second": {"x": 2, "y": 3},
    "third": None,
    "weight": 0.5,
    "tail": 255,
}
records = [("Shape", SHAPE), ("Point", POINT)]
case("records and pointers in a record", table(records, PARAMETERS), [5, VALUE, 6], encode(FIELDS, nested))

# Small members only.
SMALL = [("a", "unsigned char"), ("b", "unsigned char"), ("c", "enum")]
Small = structure(("a", NDRUSMALL), ("b", NDRUSMALL), ("c", SHORT))


def small(call):
    call["before"] = 1
    call["small"]["a"], call["small"]["b"], call["small"]["c"] = 2, 3, 4
    call["after"] = 5


PARAMETERS = [parameter("before", "unsigned char"), parameter("small", "record Small"), parameter("after", "hyper")]
FIELDS = [("before", NDRUSMALL), ("small", Small), ("after", NDRHYPER)]
arguments = [1, {"a": 2, "b": 3, "c": 4}, 5]
case("a record of small members", table([("Small", SMALL)], PARAMETERS), arguments, encode(FIELDS, small))

# An array of records as a BRECORD has it: the elements, then what they point to. A structure of three records is the same.
ROW = [("id", "long"), ("text", "BSTR"), ("amount", "double")]
Row = structure(("id", LONG), ("text", BSTR), ("amount", DOUBLE))
ROWS = [("one", 1.5), ("to", -2.0), ("", 0.0)]


def rows(call):
    for number, (text, amount) in enumerate(ROWS):
        row = call["rows"][f"row{number}"]
        row["id"], row["amount"] = number, amount
        bstr(row, "text", text)


data = encode([("rows", structure(*((f"row{number}", Row) for number in range(3))))], rows)
record = {"name": "Row", "fields": [{"name": name, "type": ty} for name, ty in ROW]}
elements = [{"id": number, "text": text, "amount": amount} for number, (text, amount) in enumerate(ROWS)]
cases.append({"name": "an array of records", "record": record, "elements": elements, "hex": data.hex()})

json.dump({"vectors": cases}, sys.stdout, indent=1)
print()
