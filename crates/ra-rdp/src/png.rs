//! Pictures as files.

use std::io::{self, BufRead, Seek, Write};

use png::{ColorType, DecodingError, EncodingError, Limits, Transformations};

use crate::Picture;
use crate::display::{MOST, PIXEL};

impl Picture {
    /// Reads a PNG image: of an animation the first picture, on black what is transparent.
    ///
    /// # Errors
    /// Those of the source; [`io::ErrorKind::InvalidData`] when it is no PNG image, or wider or higher than 8,192 pixels.
    pub fn from_png(source: impl BufRead + Seek) -> io::Result<Self> {
        let mut decoder = png::Decoder::new(source);
        decoder.set_transformations(Transformations::normalize_to_color8() | Transformations::ALPHA);
        // A row, tables and texts: the pixels are counted by the check of the size.
        decoder.set_limits(Limits { bytes: 1 << 24 });
        let header = decoder.read_header_info().map_err(invalid)?;
        let size = u16::try_from(header.width).ok().zip(u16::try_from(header.height).ok());
        let size = size.filter(|(width, height)| *width <= MOST && *height <= MOST);
        let Some((width, height)) = size else {
            let text = format!("a picture of {} by {} pixels is too large", header.width, header.height);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        };
        let mut reader = decoder.read_info().map_err(invalid)?;
        let len = reader.output_buffer_size().unwrap_or_default();
        let mut read = vec![0; len];
        let frame = reader.next_frame(&mut read).map_err(invalid)?;
        let colours: &[usize; 3] = match frame.color_type {
            ColorType::GrayscaleAlpha => &[0, 0, 0],
            _ => &[2, 1, 0],
        };
        let mut picture = Self::new(width, height);
        let samples = frame.color_type.samples();
        for (from, to) in read.chunks_exact(samples).zip(picture.pixels_mut().chunks_exact_mut(PIXEL)) {
            let alpha = u32::from(from.last().copied().unwrap_or_default());
            for (colour, to) in colours.iter().zip(to) {
                let value = u32::from(from.get(*colour).copied().unwrap_or_default());
                *to = u8::try_from(value.saturating_mul(alpha) / 255).unwrap_or(u8::MAX);
            }
        }
        Ok(picture)
    }

    /// Writes a PNG image of 8 bits for each of red, green and blue.
    ///
    /// # Errors
    /// Those of `out`; a picture without pixels cannot be written.
    pub fn to_png(&self, out: impl Write) -> io::Result<()> {
        let mut encoder = png::Encoder::new(out, self.width().into(), self.height().into());
        encoder.set_color(ColorType::Rgb);
        let mut pixels = Vec::with_capacity(self.pixels().len());
        for pixel in self.pixels().chunks_exact(PIXEL) {
            pixels.extend(pixel.iter().take(3).rev());
        }
        let mut writer = encoder.write_header().map_err(written)?;
        writer.write_image_data(&pixels).map_err(written)?;
        writer.finish().map_err(written)
    }
}

fn invalid(error: DecodingError) -> io::Error {
    match error {
        DecodingError::IoError(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

fn written(error: EncodingError) -> io::Error {
    match error {
        EncodingError::IoError(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidInput, other),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use png::{BitDepth, ColorType};

    use crate::{Picture, test_picture};

    fn png(color: ColorType, depth: BitDepth, (width, height): (u32, u32), data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, width, height);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == ColorType::Indexed {
            encoder.set_palette(vec![1, 2, 3, 4, 5, 6]);
        }
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        out
    }

    fn read(bytes: &[u8]) -> Result<Vec<u8>, String> {
        Picture::from_png(Cursor::new(bytes)).map(|p| p.pixels().to_vec()).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        let picture = test_picture(202, 150);
        picture.to_png(&mut bytes).unwrap();
        let read = Picture::from_png(Cursor::new(&bytes)).unwrap();
        assert_eq!((read.width(), read.height()), (202, 150));
        let colours = |p: &Picture| p.pixels().chunks(4).map(|p| [p[0], p[1], p[2]]).collect::<Vec<_>>();
        assert!(colours(&read) == colours(&picture));
        assert!(Picture::new(0, 5).to_png(&mut Vec::new()).is_err());
        // Cut anywhere it is no picture, and no panic.
        for len in 0..bytes.len() - 12 {
            assert!(Picture::from_png(Cursor::new(&bytes[..len])).is_err(), "{len}");
        }
    }

    #[test]
    fn all_kinds_of_pixels() {
        use BitDepth::{Eight, One, Sixteen};
        let one = |color, depth, data: &[u8]| read(&png(color, depth, (1, 1), data)).unwrap();
        assert_eq!(one(ColorType::Rgb, Eight, &[1, 2, 3]), [3, 2, 1, 0]);
        assert_eq!(one(ColorType::Rgb, Sixteen, &[1, 0, 2, 0, 3, 0]), [3, 2, 1, 0]);
        assert_eq!(one(ColorType::Rgba, Eight, &[255, 100, 0, 51]), [0, 20, 51, 0]);
        assert_eq!(one(ColorType::Grayscale, Eight, &[7]), [7, 7, 7, 0]);
        assert_eq!(one(ColorType::Grayscale, One, &[0x80]), [255, 255, 255, 0]);
        assert_eq!(one(ColorType::GrayscaleAlpha, Eight, &[255, 51]), [51, 51, 51, 0]);
        assert_eq!(one(ColorType::Indexed, One, &[0x80]), [6, 5, 4, 0]);
    }

    #[test]
    fn a_picture_that_is_too_large() {
        let mut bytes = png(ColorType::Grayscale, BitDepth::Eight, (8193, 1), &[0; 8193]);
        assert_eq!(read(&bytes).unwrap_err(), "a picture of 8193 by 1 pixels is too large");
        bytes = png(ColorType::Grayscale, BitDepth::Eight, (8192, 1), &[9; 8192]);
        assert_eq!(read(&bytes).unwrap(), [9, 9, 9, 0].repeat(8192));
    }
}
