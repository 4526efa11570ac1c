use super::Oracle;

pub(super) const ALL: &[Oracle] = &[];
