//! The screen.

use std::io;

use tracing::debug;
use x11rb::connection::Connection as _;
use x11rb::errors::ReplyError;
use x11rb::protocol::Event;
use x11rb::protocol::damage::{ConnectionExt as _, Damage, ReportLevel};
use x11rb::protocol::xproto::{
    ChangeWindowAttributesAux, ConnectionExt as _, EventMask, ImageFormat, ImageOrder, Screen, Setup,
    VisualClass, Window,
};
use x11rb::rust_connection::RustConnection;

use super::{connect, failed, lost, refused};
use crate::display::{DisplaySource, Picture, Rectangle};

/// Most bytes of a picture that are asked for at a time, unless one row has more.
const PIECE: usize = 1 << 20;
/// Events that are looked at before a picture is taken.
const EVENTS: usize = 1024;
/// Bytes of a pixel of a [`Picture`].
const PIXEL: usize = 4;
/// The version of the DAMAGE extension that is spoken.
const DAMAGE: (u32, u32) = (1, 1);

/// The screen of an X11 display, without the pointer. Screens of 24 or 32 bits with 8 for each colour are understood.
///
/// Every call talks to the X server and blocks until it has answered; a change of a whole screen of 1,024 by 768 takes some
/// milliseconds. With the DAMAGE extension only what has changed is read, and an unchanged screen costs next to nothing;
/// without it the whole screen is read each time.
#[derive(Debug)]
pub struct X11Display {
    connection: RustConnection,
    root: Window,
    layout: Layout,
    /// Tells what has changed.
    damage: Option<Damage>,
    /// The screen as it was read last.
    picture: Picture,
    /// What of it is out of date.
    stale: Option<Rectangle>,
}

impl X11Display {
    /// Connects to a display (`:0`, `host:0.1`), or to that of `$DISPLAY`. Blocks.
    ///
    /// # Errors
    /// When there is no such display, or its pixels are of another kind.
    pub fn open(name: Option<&str>) -> io::Result<Self> {
        let (connection, screen) = connect(name)?;
        let layout = Layout::of(connection.setup(), &screen)?;
        let root = screen.root;
        let events = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
        let told = connection.change_window_attributes(root, &events).map_err(lost)?;
        told.check().map_err(failed)?;
        let damage = match watch(&connection, root) {
            Ok(damage) => Some(damage),
            Err(ReplyError::ConnectionError(x11rb::errors::ConnectionError::UnsupportedExtension)) => {
                debug!("no DAMAGE extension: the whole screen is read each time");
                None
            }
            Err(error) => return Err(failed(error)),
        };
        // Asked for after its changes are told.
        let size = connection.get_geometry(root).map_err(lost)?.reply().map_err(failed)?;
        let picture = Picture::new(size.width, size.height);
        let stale = Some(whole(&picture));
        Ok(Self { connection, root, layout, damage, picture, stale })
    }

    /// Takes what the X server has told.
    fn follow(&mut self) -> io::Result<()> {
        let mut damaged = false;
        for _ in 0..EVENTS {
            match self.connection.poll_for_event().map_err(lost)? {
                None => break,
                Some(Event::DamageNotify(event)) => {
                    damaged = true;
                    let area = event.area;
                    let area = self.clip(area.x, area.y, area.width, area.height);
                    self.stale =
                        self.stale.map_or(area, |stale| area.map(|area| stale.around(area)).or(Some(stale)));
                }
                Some(Event::ConfigureNotify(event)) if event.window == self.root => {
                    if (event.width, event.height) != self.size() {
                        self.picture = Picture::new(event.width, event.height);
                        self.stale = Some(whole(&self.picture));
                    }
                }
                Some(Event::Error(error)) => return Err(refused(&error)),
                Some(_) => {}
            }
        }
        if let Some(damage) = self.damage.filter(|_| damaged) {
            // Before the picture is taken: what is painted after this is told anew.
            self.connection.damage_subtract(damage, x11rb::NONE, x11rb::NONE).map_err(lost)?;
            self.connection.flush().map_err(lost)?;
        }
        Ok(())
    }

    /// The part of an area that is on the screen.
    fn clip(&self, x: i16, y: i16, width: u16, height: u16) -> Option<Rectangle> {
        let (x, width) = clip(x, width, self.picture.width());
        let (y, height) = clip(y, height, self.picture.height());
        (width > 0 && height > 0).then_some(Rectangle { x, y, width, height })
    }

    /// Reads a part of the screen.
    fn read(&mut self, part: Rectangle) -> Result<(), ReplyError> {
        let stride = self.layout.stride(part.width);
        let rows = u16::try_from(PIECE.checked_div(stride).unwrap_or(1)).unwrap_or(u16::MAX).max(1);
        let (Ok(x), Some(end)) = (i16::try_from(part.x), part.y.checked_add(part.height)) else {
            return Ok(());
        };
        let mut top = part.y;
        while top < end {
            let height = rows.min(end.saturating_sub(top));
            let y = i16::try_from(top).unwrap_or(i16::MAX);
            let asked = self.connection.get_image(
                ImageFormat::Z_PIXMAP,
                self.root,
                x,
                y,
                part.width,
                height,
                u32::MAX,
            )?;
            let image = asked.reply()?.data;
            let wide = usize::from(self.picture.width()).saturating_mul(PIXEL);
            let left = usize::from(part.x).saturating_mul(PIXEL);
            let to = self.picture.pixels_mut().chunks_exact_mut(wide.max(1));
            let to = to.skip(usize::from(top)).take(usize::from(height));
            for (from, to) in image.chunks(stride.max(1)).zip(to) {
                let len = usize::from(part.width).saturating_mul(PIXEL);
                if let Some(to) = to.get_mut(left..left.saturating_add(len)) {
                    self.layout.convert(from, to);
                }
            }
            top = top.saturating_add(height);
        }
        Ok(())
    }
}

impl DisplaySource for X11Display {
    fn size(&self) -> (u16, u16) {
        (self.picture.width(), self.picture.height())
    }

    fn changed(&mut self) -> io::Result<bool> {
        self.follow()?;
        if self.damage.is_none() {
            self.stale = Some(whole(&self.picture));
        }
        Ok(self.stale.is_some())
    }

    fn capture(&mut self, picture: &mut Picture) -> io::Result<()> {
        if let Some(stale) = self.stale.take() {
            let size = self.size();
            if let Err(error) = self.read(stale) {
                // What was asked for is not there any more when the screen has just become smaller.
                self.follow()?;
                if self.size() == size {
                    return Err(failed(error));
                }
                return Ok(());
            }
        }
        picture.clone_from(&self.picture);
        Ok(())
    }
}

/// Has the X server tell what changes on a screen.
fn watch(connection: &RustConnection, root: Window) -> Result<Damage, ReplyError> {
    let (major, minor) = DAMAGE;
    connection.damage_query_version(major, minor)?.reply()?;
    let broken = |_| ReplyError::ConnectionError(x11rb::errors::ConnectionError::UnknownError);
    let damage = connection.generate_id().map_err(broken)?;
    // The least that is told of many changes: it grows at most as often as the box around them.
    connection.damage_create(damage, root, ReportLevel::BOUNDING_BOX)?.check()?;
    Ok(damage)
}

const fn whole(picture: &Picture) -> Rectangle {
    Rectangle { x: 0, y: 0, width: picture.width(), height: picture.height() }
}

/// The part of a line that lies between 0 and an end.
fn clip(start: i16, len: u16, end: u16) -> (u16, u16) {
    let last = i32::from(start).saturating_add(i32::from(len)).clamp(0, i32::from(end));
    let first = i32::from(start).clamp(0, last);
    let to = |n: i32| u16::try_from(n).unwrap_or_default();
    (to(first), to(last.saturating_sub(first)))
}

/// Where the colours of a pixel stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    /// Bytes of a pixel.
    bytes: usize,
    /// What the bytes of a row are a multiple of.
    pad: usize,
    /// The bytes of blue, green, and red.
    colours: [usize; 3],
}

impl Layout {
    /// That of the root window of a screen.
    fn of(setup: &Setup, screen: &Screen) -> io::Result<Self> {
        let mut visuals = screen.allowed_depths.iter().flat_map(|depth| &depth.visuals);
        let visual = visuals.find(|visual| visual.visual_id == screen.root_visual);
        let format = setup.pixmap_formats.iter().find(|format| format.depth == screen.root_depth);
        let layout = visual
            .zip(format)
            .filter(|(visual, _)| visual.class == VisualClass::TRUE_COLOR)
            .and_then(|(visual, format)| {
                let masks = [visual.blue_mask, visual.green_mask, visual.red_mask];
                let first = setup.image_byte_order == ImageOrder::LSB_FIRST;
                Self::new(format.bits_per_pixel, format.scanline_pad, masks, first)
            });
        layout.ok_or_else(|| {
            let depth = screen.root_depth;
            let text = format!(
                "the X11 display has a depth of {depth}: only TrueColor with 8 bits for each colour in 24 or 32 is known"
            );
            io::Error::new(io::ErrorKind::Unsupported, text)
        })
    }

    /// `masks`: the bits of blue, green, and red; `first`: whether the lowest byte comes first.
    fn new(bits_per_pixel: u8, scanline_pad: u8, masks: [u32; 3], first: bool) -> Option<Self> {
        let bytes: usize = match bits_per_pixel {
            24 => 3,
            32 => 4,
            _ => return None,
        };
        let mut colours = [0; 3];
        for (mask, colour) in masks.into_iter().zip(&mut colours) {
            let low = [0xFF, 0xFF00, 0xFF_0000, 0xFF00_0000].iter().position(|byte| *byte == mask);
            let low = low.filter(|low| *low < bytes)?;
            *colour = if first { low } else { bytes.checked_sub(low)?.checked_sub(1)? };
        }
        let pad = usize::from(scanline_pad / 8).max(1);
        Some(Self { bytes, pad, colours })
    }

    /// Bytes of a row.
    fn stride(&self, width: u16) -> usize {
        let bytes = usize::from(width).saturating_mul(self.bytes);
        bytes.checked_next_multiple_of(self.pad).unwrap_or(bytes)
    }

    /// One row.
    fn convert(&self, from: &[u8], to: &mut [u8]) {
        let [blue, green, red] = self.colours;
        for (from, to) in from.chunks_exact(self.bytes).zip(to.as_chunks_mut::<PIXEL>().0) {
            let byte = |at: usize| from.get(at).copied().unwrap_or_default();
            *to = [byte(blue), byte(green), byte(red), 0];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Layout, clip};

    const MASKS: [u32; 3] = [0xFF, 0xFF00, 0xFF_0000];

    fn converted(layout: Layout, row: &[u8]) -> Vec<u8> {
        let mut pixels = vec![9; row.len() / layout.bytes * 4];
        layout.convert(row, &mut pixels);
        pixels
    }

    #[test]
    fn the_usual_pixels_only_lose_what_means_nothing() {
        let layout = Layout::new(32, 32, MASKS, true).unwrap();
        assert_eq!(converted(layout, &[1, 2, 3, 4, 5, 6, 7, 8]), [1, 2, 3, 0, 5, 6, 7, 0]);
        assert_eq!(layout.stride(3), 12);
    }

    #[test]
    fn the_other_byte_order_is_turned_round() {
        let layout = Layout::new(32, 32, MASKS, false).unwrap();
        assert_eq!(converted(layout, &[4, 3, 2, 1]), [1, 2, 3, 0]);
        let packed = Layout::new(24, 32, MASKS, false).unwrap();
        assert_eq!(converted(packed, &[3, 2, 1, 7, 6, 5]), [1, 2, 3, 0, 5, 6, 7, 0]);
    }

    #[test]
    fn packed_rows_are_padded() {
        let layout = Layout::new(24, 32, MASKS, true).unwrap();
        assert_eq!(converted(layout, &[1, 2, 3, 5, 6, 7]), [1, 2, 3, 0, 5, 6, 7, 0]);
        assert_eq!([1, 2, 3, 4].map(|width| layout.stride(width)), [4, 8, 12, 12]);
    }

    #[test]
    fn colours_may_stand_in_another_order() {
        let layout = Layout::new(32, 32, [0xFF00_0000, 0xFF_0000, 0xFF00], true).unwrap();
        assert_eq!(converted(layout, &[4, 3, 2, 1]), [1, 2, 3, 0]);
    }

    #[test]
    fn other_pixels_are_refused() {
        assert_eq!(Layout::new(16, 32, [0x1F, 0x7E0, 0xF800], true), None);
        assert_eq!(Layout::new(32, 32, [0x3FF, 0xF_FC00, 0x3FF0_0000], true), None);
        assert_eq!(Layout::new(8, 32, MASKS, true), None);
        assert_eq!(Layout::new(24, 32, [0xFF, 0xFF00, 0xFF00_0000], true), None);
        assert_eq!(Layout::new(32, 32, [0; 3], true), None);
    }

    #[test]
    fn what_is_off_the_screen_is_cut() {
        assert_eq!(clip(-5, 10, 100), (0, 5));
        assert_eq!(clip(95, 10, 100), (95, 5));
        assert_eq!(clip(-5, 200, 100), (0, 100));
        assert_eq!(clip(-5, 3, 100).1, 0);
        assert_eq!(clip(100, 3, 100).1, 0);
        assert_eq!(clip(i16::MAX, u16::MAX, u16::MAX), (32_767, 32_768));
    }
}
