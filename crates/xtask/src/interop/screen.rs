//! Pictures: what is to be seen on a display of Xvfb, what is painted there, what our expert has seen.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use super::until;
use super::xvfb::Xvfb;
use crate::run::Result;

/// The picture that `remassist novice --display test` shares.
const TEST: (usize, usize) = (800, 600);

/// Rows of pixels: blue, green, red.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<[u8; 3]>,
}

impl Picture {
    pub fn new(width: usize, height: usize, mut pixel: impl FnMut(usize, usize) -> [u8; 3]) -> Self {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Self { width, height, pixels: places.map(|(x, y)| pixel(x, y)).collect() }
    }

    /// What `remassist novice --display test` shares.
    pub fn test() -> Self {
        Self::new(TEST.0, TEST.1, |x, y| {
            if x.is_multiple_of(64) || y.is_multiple_of(64) {
                return [255; 3];
            }
            [y / 3, x / 4, x / 8 + y / 8].map(byte)
        })
    }

    /// Something to paint, of another look for every number: a grid, shades, one colour, and noise that no codec makes
    /// smaller.
    pub fn painted(width: usize, height: usize, number: usize) -> Self {
        let mut noise = noise(number);
        Self::new(width, height, |x, y| {
            let noise = noise();
            match (x / 97 + y / 61 + number) % 5 {
                _ if (x + 7 * number).is_multiple_of(50) || (y + 11 * number).is_multiple_of(40) => [255; 3],
                0 => noise,
                1 => [30 * number, 200, 90].map(byte),
                2 => [0; 3],
                _ => [y / 3, x / 4 + 40 * number, x / 8 + y / 8].map(byte),
            }
        })
    }

    pub fn noise(width: usize, height: usize, number: usize) -> Self {
        let mut noise = noise(number);
        Self::new(width, height, |_, _| noise())
    }

    /// A dump of X11 with 32 bits for each pixel.
    pub fn from_xwd(path: &Path) -> Result<Self> {
        let xwd = fs::read(path).map_err(|e| e.to_string())?;
        let field = |n: usize| {
            let bytes = xwd.get(4 * n..4 * n + 4)?.try_into().ok()?;
            usize::try_from(u32::from_be_bytes(bytes)).ok()
        };
        let read = || {
            let pixels = field(0)? + field(19)? * 12;
            let (width, height, stride) = (field(4)?, field(5)?, field(12)?);
            let end = pixels + height.checked_mul(stride)?;
            let rows = xwd.get(pixels..end)?.chunks_exact(stride);
            let row =
                |row: &[u8]| row.chunks_exact(4).take(width).map(|p| [p[0], p[1], p[2]]).collect::<Vec<_>>();
            Some(Self { width, height, pixels: rows.flat_map(row).collect() })
        };
        read().ok_or_else(|| "the dump of the display is not whole".into())
    }

    /// A screenshot of our expert.
    pub fn from_png(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| e.to_string())?;
        let read = || {
            let mut reader = png::Decoder::new(BufReader::new(file)).read_info()?;
            let mut bytes = vec![0; reader.output_buffer_size().unwrap_or_default()];
            let info = reader.next_frame(&mut bytes)?;
            let pixels = bytes.chunks_exact(3).map(|p| [p[2], p[1], p[0]]).collect();
            Ok(Self { width: info.width as usize, height: info.height as usize, pixels })
        };
        read().map_err(|e: png::DecodingError| format!("{}: {e}", path.display()))
    }

    /// How many pixels are not those of another picture, which may be smaller and stands in the upper left corner then.
    fn differences(&self, other: &Self) -> usize {
        if self.width < other.width || self.height < other.height {
            return usize::MAX;
        }
        let rows = self.pixels.chunks_exact(self.width).zip(other.pixels.chunks_exact(other.width));
        rows.map(|(own, other)| own.iter().zip(other).filter(|(own, other)| own != other).count()).sum()
    }
}

/// Pixels by xorshift.
fn noise(number: usize) -> impl FnMut() -> [u8; 3] {
    let mut state = 0x9E37_79B9_u32.wrapping_mul(2 * u32::try_from(number).unwrap_or_default() + 1);
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let [_, blue, green, red] = state.to_le_bytes();
        [blue, green, red]
    }
}

fn byte(n: usize) -> u8 {
    (n % 256) as u8
}

/// Waits until a picture, which is got anew each time, is the one that is wanted.
pub fn wait_for(wanted: &Picture, mut shown: impl FnMut() -> Result<Picture>) -> Result {
    let mut last = None;
    let mut compare = || {
        let differences = shown()?.differences(wanted);
        last = Some(differences);
        Ok((differences == 0).then_some(()))
    };
    let result = until("the picture", &mut compare);
    result.map_err(|e| format!("{e}; places that differ: {last:?}"))
}

/// Waits until a picture is in the corner of a display.
pub fn wait_on(xvfb: &Xvfb, wanted: &Picture) -> Result {
    wait_for(wanted, || xvfb.screen())
}
