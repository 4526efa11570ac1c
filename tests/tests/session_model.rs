//! Random operations on two sides, and random bytes on the channels of one, by the oracles of the fuzz targets.

use proptest::prelude::*;
use testkit::oracles;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_two_sides_do(input in proptest::collection::vec(any::<u8>(), 0..600)) {
        oracles::run("session_model", &input);
    }

    #[test]
    fn whatever_one_side_is_sent(input in proptest::collection::vec(any::<u8>(), 0..600)) {
        oracles::run("session_messages", &input);
    }

    #[test]
    fn whatever_a_stranger_says(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        oracles::run("session_stranger", &input);
    }
}
