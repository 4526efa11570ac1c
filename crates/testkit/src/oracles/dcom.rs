use super::Oracle;
use crate::dcom;

pub(super) const ALL: &[Oracle] = &[("dcom_call", call)];

/// Two bytes choose method, direction, byte order and whether there is an ORPC header; the rest is stub data.
fn call(input: &[u8]) {
    let Some((choice, stub)) = input.split_first_chunk() else { return };
    let (method, format) = dcom::choose(*choice);
    dcom::message(method, format, stub);
}
