#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| testkit::oracles::run("comqc_filter", input));
