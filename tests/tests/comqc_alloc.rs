//! The reader of queued component messages allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use comqc_format::{AuthenticationLevel, Property, Reader, Recording, SecurityData, Writer};
use uuid::uuid;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The only test of its file, so that no other one allocates meanwhile. References name the first 16 contexts, as those
/// to others need a list of where they stand.
#[test]
fn walking_ten_thousand_calls_allocates_nothing() {
    let mut recording = Recording::new(uuid!("812df40e-bd88-11d0-8a6d-00c04fc340ee"));
    for n in 0..16 {
        let name = Property::account_name(&format!("user{n}"));
        recording.add_context(SecurityData::new(AuthenticationLevel::NONE, vec![name]));
    }
    for n in 0..10_000 {
        recording.add_call(n % 19 % 16, uuid!("3f2504e0-4f89-11d3-9a0c-0305e82c3301"), 3, vec![1; n % 50]);
    }
    for writer in [Writer::OPTIMIZED, Writer::PLAIN] {
        let bytes = writer.to_vec(&recording).unwrap();
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let mut sum = 0;
        for call in Reader::strict(&bytes).unwrap() {
            sum += call.unwrap().data.len();
        }
        let after = ALLOCATIONS.load(Ordering::Relaxed);
        assert_eq!((sum, after - before), (245_000, 0));
    }
}
