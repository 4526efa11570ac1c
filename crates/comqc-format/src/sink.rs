//! Where encoded bytes go.

use alloc::vec::Vec;

use bytes::BufMut;

/// A place that has room for what is put.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);

    /// Puts the fixed fields of a method header, the interface last.
    fn put_method(&mut self, words: [[u8; 4]; 8], interface: Option<[u8; 16]>);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    /// Two copies of known lengths are faster here than one of an unknown length.
    #[inline]
    fn put_method(&mut self, words: [[u8; 4]; 8], interface: Option<[u8; 16]>) {
        self.extend_from_slice(words.as_flattened());
        if let Some(interface) = interface {
            self.extend_from_slice(&interface);
        }
    }
}

/// Bytes that wait at most.
const SIZE: usize = 2048;

/// Collects small pieces, so that a buffer behind a `dyn` is called seldom.
pub(crate) struct Batch<'d> {
    dst: &'d mut dyn BufMut,
    pending: [u8; SIZE],
    len: usize,
}

impl<'d> Batch<'d> {
    /// Runs `put` and passes on everything that it puts.
    pub(crate) fn of(dst: &'d mut dyn BufMut, put: impl FnOnce(&mut Self)) {
        let mut batch = Self { dst, pending: [0; SIZE], len: 0 };
        put(&mut batch);
        batch.flush();
    }

    fn flush(&mut self) {
        self.dst.put_slice(self.pending.get(..self.len).unwrap_or_default());
        self.len = 0;
    }

    /// What does not fit behind the pending bytes.
    #[cold]
    fn overflow(&mut self, bytes: &[u8]) {
        self.flush();
        match self.pending.get_mut(..bytes.len()) {
            Some(space) => {
                space.copy_from_slice(bytes);
                self.len = bytes.len();
            }
            None => self.dst.put_slice(bytes),
        }
    }
}

impl Sink for Batch<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.pending.get_mut(self.len..end) {
            Some(space) => {
                space.copy_from_slice(bytes);
                self.len = end;
            }
            None => self.overflow(bytes),
        }
    }

    #[inline]
    fn put_method(&mut self, words: [[u8; 4]; 8], interface: Option<[u8; 16]>) {
        let [a, b, c, d, e, f, g, h] = words;
        match interface.as_ref().map(|id| id.as_chunks().0) {
            Some(&[i, j, k, l]) => self.put([a, b, c, d, e, f, g, h, i, j, k, l].as_flattened()),
            _ => self.put(words.as_flattened()),
        }
    }
}
