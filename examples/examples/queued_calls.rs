//! Records two calls of a queued component as one message and reads them back without copying.

use std::error::Error;

use remassist::comqc::{Reader, Recording, SecurityData, Writer};
use uuid::uuid;

fn main() -> Result<(), Box<dyn Error>> {
    let mut recording = Recording::new(uuid!("812df40e-bd88-11d0-8a6d-00c04fc340ee"));
    let nobody = recording.add_context(SecurityData::EMPTY);
    let interface = uuid!("3f2504e0-4f89-11d3-9a0c-0305e82c3301");
    recording.add_call(nobody, interface, 3, 7_u32.to_le_bytes().to_vec());
    recording.add_call(nobody, interface, 4, b"\x01\0\0\0".as_slice());
    let body = Writer::OPTIMIZED.to_vec(&recording)?;
    println!("{} bytes for {} calls", body.len(), recording.calls.len());

    let mut reader = Reader::strict(&body)?;
    for call in reader.by_ref() {
        let call = call?;
        println!("method {} of {} with {:02x?}", call.method_number, call.interface_id, call.data);
    }
    Ok(())
}
