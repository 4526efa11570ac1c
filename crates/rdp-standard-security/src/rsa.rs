//! RSA without padding, on little-endian numbers ([MS-RDPBCGR] 5.3.3.1.2, 5.3.4).

use alloc::vec::Vec;

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use zeroize::Zeroizing;

use crate::Error;

/// The largest modulus: a hostile peer may choose it, and somebody pays for the computation.
pub(crate) const MAX_MODULUS: usize = 512;
/// The smallest: what every Windows has used; a client random must fit in as a number.
pub(crate) const MIN_MODULUS: usize = 64;

/// A modulus: an odd number that fills its bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Modulus {
    bytes: Vec<u8>,
}

impl Modulus {
    /// Takes the bytes, least significant first.
    pub(crate) fn new(little_endian: &[u8]) -> Result<Self, Error> {
        let key = |reason| Error::Key { reason };
        if !(MIN_MODULUS..=MAX_MODULUS).contains(&little_endian.len()) {
            return Err(key("its modulus has less than 512 or more than 4,096 bits"));
        }
        if little_endian.first().is_none_or(|low| low & 1 == 0) {
            return Err(key("its modulus is even"));
        }
        if little_endian.last().is_none_or(|high| *high == 0) {
            return Err(key("its modulus is shorter than it says"));
        }
        Ok(Self { bytes: little_endian.to_vec() })
    }

    /// Least significant byte first.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// `base ^ exponent mod self`; `None` when the base is not below the modulus. All numbers have their least
    /// significant byte first. Takes the same time for all exponents of a length.
    pub(crate) fn power(&self, base: &[u8], exponent: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let bits = u32::try_from(self.bytes.len()).ok()?.checked_mul(8)?;
        let modulus = BoxedUint::from_le_slice(&self.bytes, bits).ok()?;
        let (base, high) = base.split_at_checked(self.bytes.len()).unwrap_or((base, &[]));
        if high.iter().any(|byte| *byte != 0) {
            return None;
        }
        let base = Zeroizing::new(BoxedUint::from_le_slice(base, bits).ok()?);
        if *base >= modulus {
            return None;
        }
        let exponent_bits = u32::try_from(exponent.len()).ok()?.checked_mul(8)?;
        let exponent = Zeroizing::new(BoxedUint::from_le_slice(exponent, exponent_bits).ok()?);
        let params = BoxedMontyParams::new(Option::<Odd<_>>::from(Odd::new(modulus))?);
        let base = Zeroizing::new(BoxedMontyForm::new((*base).clone(), &params));
        let power = Zeroizing::new(Zeroizing::new(base.pow(&exponent)).retrieve());
        let mut bytes = Zeroizing::new(power.to_le_bytes().into_vec());
        bytes.truncate(self.bytes.len());
        Some(bytes)
    }
}
