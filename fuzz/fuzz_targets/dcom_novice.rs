#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| testkit::oracles::run("dcom_novice", input));
