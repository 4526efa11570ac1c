//! UTF-16LE text against `encoding_rs`.

use std::hint::black_box;

use encoding_rs::UTF_16LE;
use remassist_core::utf16;
use testkit::bench;

fn main() {
    bench::heading("UTF-16LE text");
    let ascii: String = ('!'..='~').cycle().take(330).collect();
    let bytes = utf16::encode(&ascii);
    bench::ratio(
        "decode, 330 ASCII characters",
        0.5,
        || drop(black_box(utf16::decode(black_box(&bytes)))),
        || drop(black_box(UTF_16LE.decode_without_bom_handling(black_box(&bytes)).0.into_owned())),
    );
}
