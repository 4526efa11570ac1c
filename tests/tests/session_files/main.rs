//! File transfer of sessions ([MS-RA] 3.9, 3.10; figures 10 to 13).

mod faults;
mod pair;
mod races;
mod transfers;
