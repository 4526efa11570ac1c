//! The session token beside a chain of bare SHA-1 compressions over as many blocks.

use std::hint::black_box;

use ra_channel::{Role, session_token};
use testkit::bench::{heading, ratio};

const ROUNDS: usize = 100_000;

/// What cannot be done faster: each compression needs the state that the one before left.
fn bare<const N: usize>() -> [u32; 5] {
    let mut state = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
    let blocks = black_box([[0x5A; 64]; N]);
    for _ in 0..ROUNDS {
        sha1::block_api::compress(&mut state, &blocks);
    }
    state
}

fn main() {
    heading("session token");
    let token = |len: usize| {
        // Password and role are 12 characters, 24 bytes; the rest brings the tail to the length wanted.
        let string = "x".repeat((192 + len - 24) / 2);
        move || {
            black_box(session_token(Role::Novice, black_box("ABCDEF"), black_box(&string)));
        }
    };
    // A tail of 34 bytes leaves room for the hash and the padding in its block, one of 48 bytes does not.
    ratio("token, 2-block tail", 1.20, token(48), || {
        black_box(bare::<2>());
    });
    ratio("token, 1-block tail", 1.35, token(34), || {
        black_box(bare::<1>());
    });
}
