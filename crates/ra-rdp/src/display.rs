//! The screen that a novice shares: where it comes from, and what of it is sent.

use std::io;

use bytes::BytesMut;
use ironrdp_core::{Encode as _, WriteCursor, encode_vec};
use ironrdp_graphics::rdp6::{BgrAChannels, BitmapStreamEncoder};
use ironrdp_pdu::bitmap::{BitmapData, BitmapUpdateData, CompressedDataHeader, Compression};
use ironrdp_pdu::fast_path::{EncryptionFlags, FastPathHeader, FastPathUpdatePdu, Fragmentation, UpdateCode};
use ironrdp_pdu::geometry::InclusiveRectangle;
use ironrdp_pdu::rdp::capability_sets::{CapabilitySet, GeneralExtraFlags};

use crate::RdpError;

/// Side of a tile in pixels. A whole one takes 12,290 bytes at most, so it always fits into one fast-path update.
const TILE: u16 = 64;
/// Bytes of a pixel: blue, green, red, and one that means nothing.
pub(crate) const PIXEL: usize = 4;
/// Most pixels of a side of a screen that RDP knows ([MS-RDPBCGR] 2.2.1.3.2).
pub(crate) const MOST: u16 = 8192;

/// A picture of a screen: rows from top to bottom, four bytes for each pixel (blue, green, red, any).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: u16,
    height: u16,
    pixels: Vec<u8>,
}

impl Picture {
    /// A black one.
    #[must_use]
    pub fn new(width: u16, height: u16) -> Self {
        let len = usize::from(width).saturating_mul(usize::from(height)).saturating_mul(PIXEL);
        Self { width, height, pixels: vec![0; len] }
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(&self) -> u16 {
        self.height
    }

    /// The pixels.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels, to be painted.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// Rows of a rectangle.
    fn rows(&self, x: u16, y: u16, width: u16, height: u16) -> impl DoubleEndedIterator<Item = &[u8]> {
        let stride = usize::from(self.width).saturating_mul(PIXEL);
        let left = usize::from(x).saturating_mul(PIXEL);
        let right = left.saturating_add(usize::from(width).saturating_mul(PIXEL));
        (usize::from(y)..usize::from(y).saturating_add(usize::from(height))).map(move |row| {
            let start = row.saturating_mul(stride);
            let range = start.saturating_add(left)..start.saturating_add(right);
            self.pixels.get(range).unwrap_or_default()
        })
    }
}

/// A part of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rectangle {
    /// From the left.
    pub x: u16,
    /// From the top.
    pub y: u16,
    /// Width.
    pub width: u16,
    /// Height.
    pub height: u16,
}

impl Rectangle {
    pub(crate) const fn of(pdu: &InclusiveRectangle) -> Self {
        Self {
            x: pdu.left,
            y: pdu.top,
            width: pdu.right.saturating_sub(pdu.left).saturating_add(1),
            height: pdu.bottom.saturating_sub(pdu.top).saturating_add(1),
        }
    }

    /// The smallest one around both.
    pub(crate) fn around(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = self.x.saturating_add(self.width).max(other.x.saturating_add(other.width));
        let bottom = self.y.saturating_add(self.height).max(other.y.saturating_add(other.height));
        Self { x, y, width: right.saturating_sub(x), height: bottom.saturating_sub(y) }
    }
}

/// A screen to share.
pub trait DisplaySource: Send {
    /// Width and height in pixels. When they change, the session ends ([MS-RA] figures 3 and 6).
    fn size(&self) -> (u16, u16);

    /// Whether the screen may have changed, in content or size, since it was captured last. It is asked several times a
    /// second, and nothing is captured while it says no, unless everything is to be sent once more.
    ///
    /// # Errors
    /// As [`capture`](Self::capture).
    fn changed(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    /// Paints the screen as it is now into a picture of that size. The connection does nothing else meanwhile.
    ///
    /// # Errors
    /// When the screen cannot be read any more: the session ends.
    fn capture(&mut self, picture: &mut Picture) -> io::Result<()>;
}

/// A picture that never changes.
impl DisplaySource for Picture {
    fn size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    fn changed(&mut self) -> io::Result<bool> {
        Ok(false)
    }

    fn capture(&mut self, picture: &mut Picture) -> io::Result<()> {
        picture.clone_from(self);
        Ok(())
    }
}

/// The picture for tests: a gradient with a grid, in which every tile is different.
#[must_use]
pub fn test_picture(width: u16, height: u16) -> Picture {
    let mut picture = Picture::new(width, height);
    let row = usize::from(width).saturating_mul(PIXEL).max(1);
    for (y, row) in (0_u32..).zip(picture.pixels.chunks_exact_mut(row)) {
        for (x, pixel) in (0_u32..).zip(row.chunks_exact_mut(PIXEL)) {
            let grid = x % 64 == 0 || y % 64 == 0;
            let byte = |n: u32| u8::try_from(n % 256).unwrap_or_default();
            let colour =
                if grid { [255, 255, 255, 0] } else { [byte(y / 3), byte(x / 4), byte(x / 8 + y / 8), 0] };
            pixel.copy_from_slice(&colour);
        }
    }
    picture
}

/// How an expert takes bitmaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    /// Bits of a pixel. Those of 32 are compressed.
    bits: u16,
    /// Compressed ones have a header of their own.
    header: bool,
}

impl Format {
    /// What its capabilities say ([MS-RDPBCGR] 2.2.7.1.1, 2.2.7.1.2).
    ///
    /// # Errors
    /// [`RdpError::Protocol`] when it wants a palette.
    pub(crate) fn of(capabilities: &[CapabilitySet]) -> Result<Self, RdpError> {
        let mut format = Self { bits: 32, header: true };
        for set in capabilities {
            match set {
                CapabilitySet::Bitmap(bitmap) => format.bits = bitmap.pref_bits_per_pix,
                CapabilitySet::General(general) => {
                    let flag = GeneralExtraFlags::NO_BITMAP_COMPRESSION_HDR;
                    format.header = !general.extra_flags.contains(flag);
                }
                _ => {}
            }
        }
        match format.bits {
            15 | 16 | 24 | 32 => Ok(format),
            _ => Err(RdpError::Protocol("a screen of fewer than 15 bits per pixel")),
        }
    }
}

/// What of a screen the expert has seen, and what has changed since.
#[derive(Debug)]
pub(crate) struct Tiles {
    format: Format,
    seen: Picture,
    now: Picture,
    /// Tiles not looked at yet since `now` was taken, in reading order: the next one.
    next: Option<(u16, u16)>,
    /// Everything is sent once more.
    all: bool,
}

impl Tiles {
    pub(crate) fn new(width: u16, height: u16, format: Format) -> Self {
        let picture = Picture::new(width, height);
        Self { format, seen: picture.clone(), now: picture, next: None, all: true }
    }

    /// The size that the expert was told.
    pub(crate) const fn size(&self) -> (u16, u16) {
        (self.seen.width, self.seen.height)
    }

    /// Everything is to be sent again, also what was looked at already.
    pub(crate) const fn refresh(&mut self) {
        self.all = true;
        if self.next.is_some() {
            self.next = Some((0, 0));
        }
    }

    /// Whether what was captured has been looked at.
    pub(crate) const fn is_done(&self) -> bool {
        self.next.is_none()
    }

    /// Looks at the screen, if it has changed. One of another size is not looked at.
    pub(crate) fn capture(&mut self, source: &mut dyn DisplaySource) -> io::Result<()> {
        let changed = source.changed()?;
        if (changed || self.all) && source.size() == self.size() {
            source.capture(&mut self.now)?;
            if (self.now.width, self.now.height) == self.size() {
                self.next = Some((0, 0));
            }
        }
        Ok(())
    }

    /// Appends the next tile that has changed; `false` when there is none left.
    pub(crate) fn encode(&mut self, out: &mut BytesMut) -> Result<bool, RdpError> {
        if self.next.is_none() {
            return Ok(false);
        }
        while let Some((x, y)) = self.next {
            let (width, height) = (TILE.min(self.now.width - x), TILE.min(self.now.height - y));
            let right = x.saturating_add(TILE);
            self.next = if right < self.now.width {
                Some((right, y))
            } else {
                Some((0, y.saturating_add(TILE))).filter(|(_, y)| *y < self.now.height)
            };
            let changed = !self.now.rows(x, y, width, height).eq(self.seen.rows(x, y, width, height));
            if changed || self.all {
                let tile = encode(&self.now, Rectangle { x, y, width, height }, self.format)?;
                out.extend_from_slice(&tile);
                if self.next.is_none() {
                    self.finish();
                }
                return Ok(true);
            }
        }
        self.finish();
        Ok(false)
    }

    fn finish(&mut self) {
        std::mem::swap(&mut self.seen, &mut self.now);
        self.all = false;
    }
}

/// One tile as a fast-path bitmap update: rows from bottom to top, width padded to a multiple of 4.
fn encode(picture: &Picture, tile: Rectangle, format: Format) -> Result<Vec<u8>, RdpError> {
    let Rectangle { x, y, width, height } = tile;
    let padded = width.next_multiple_of(4);
    let mut pixels = Vec::with_capacity(usize::from(padded) * usize::from(height) * PIXEL);
    for row in picture.rows(x, y, width, height).rev() {
        pixels.extend_from_slice(row);
        let last = row.last_chunk::<PIXEL>().copied().unwrap_or_default();
        for _ in width..padded {
            pixels.extend_from_slice(&last);
        }
    }
    let (pixel, _) = pixels.as_chunks::<PIXEL>();
    let high = |byte: &u8, bits: u32| u16::from(*byte) >> (8 - bits);
    let data: Vec<u8> = match format.bits {
        15 => {
            let pixel = pixel.iter().map(|[b, g, r, _]| high(r, 5) << 10 | high(g, 5) << 5 | high(b, 5));
            pixel.flat_map(u16::to_le_bytes).collect()
        }
        16 => {
            let pixel = pixel.iter().map(|[b, g, r, _]| high(r, 5) << 11 | high(g, 6) << 5 | high(b, 5));
            pixel.flat_map(u16::to_le_bytes).collect()
        }
        24 => pixel.iter().flat_map(|[b, g, r, _]| [*b, *g, *r]).collect(),
        _ => compress(&pixels, padded, height)?,
    };
    let mut bitmap = BitmapData {
        rectangle: InclusiveRectangle {
            left: x,
            top: y,
            right: x.saturating_add(width).saturating_sub(1),
            bottom: y.saturating_add(height).saturating_sub(1),
        },
        width: padded,
        height,
        bits_per_pixel: format.bits,
        compression_flags: Compression::empty(),
        compressed_data_header: None,
        bitmap_data: &data,
    };
    if format.bits == 32 {
        bitmap.compression_flags = Compression::BITMAP_COMPRESSION;
        if format.header {
            let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap_or(u16::MAX);
            bitmap.compressed_data_header = Some(CompressedDataHeader {
                main_body_size: length(&data),
                scan_width: padded,
                uncompressed_size: length(&pixels),
            });
        } else {
            bitmap.compression_flags |= Compression::NO_BITMAP_COMPRESSION_HDR;
        }
    }
    fast_path(&BitmapUpdateData { rectangles: vec![bitmap] })
}

/// As an RDP 6.0 bitmap stream ([MS-RDPEGDI] 2.2.2.5.1), with or without run lengths, whichever is shorter.
fn compress(pixels: &[u8], width: u16, height: u16) -> Result<Vec<u8>, RdpError> {
    let mut encoder = BitmapStreamEncoder::new(width.into(), height.into());
    let raw = pixels.len() / PIXEL * 3 + 2;
    let mut data = vec![0; raw * 2];
    let written = encoder.encode_bitmap::<BgrAChannels>(pixels, &mut data, true).ok().filter(|n| *n <= raw);
    let written = match written {
        Some(written) => written,
        None => encoder
            .encode_bitmap::<BgrAChannels>(pixels, &mut data, false)
            .map_err(|_| RdpError::Protocol("a tile that cannot be written"))?,
    };
    data.truncate(written);
    Ok(data)
}

fn fast_path(update: &BitmapUpdateData<'_>) -> Result<Vec<u8>, RdpError> {
    let broken = |_| RdpError::Protocol("an update that cannot be written");
    let mut data = vec![0; update.size()];
    update.encode(&mut WriteCursor::new(&mut data)).map_err(broken)?;
    let pdu = FastPathUpdatePdu {
        fragmentation: Fragmentation::Single,
        update_code: UpdateCode::Bitmap,
        compression_flags: None,
        compression_type: None,
        data: &data,
    };
    let header = FastPathHeader::new(EncryptionFlags::empty(), pdu.size());
    let mut frame = encode_vec(&header).map_err(broken)?;
    frame.extend_from_slice(&encode_vec(&pdu).map_err(broken)?);
    Ok(frame)
}
