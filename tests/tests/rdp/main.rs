//! Our expert with our novice over real RDP on loopback.

mod channels;
mod edges;
mod hostile;
mod kills;
mod load;
mod pair;
mod relay;
mod screen;
mod security;
mod session;
mod tickets;
mod tools;

#[global_allocator]
static ALLOCATOR: testkit::memory::Counting = testkit::memory::Counting;
