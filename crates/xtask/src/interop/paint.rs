//! A window of our own that fills a display: a picture, and what is typed and clicked there.

use x11rb::COPY_DEPTH_FROM_PARENT;
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    ConnectionExt as _, CreateGCAux, CreateWindowAux, EventMask, Gcontext, ImageFormat, InputFocus, Window,
    WindowClass,
};
use x11rb::rust_connection::RustConnection;

use super::screen::{Picture, wait_on};
use super::xvfb::Xvfb;
use crate::run::Result;

/// Rows that are painted with one request; without extensions it may have 256 KiB.
const ROWS: usize = 32;

pub struct Canvas<'x> {
    xvfb: &'x Xvfb,
    connection: RustConnection,
    window: Window,
    context: Gcontext,
    size: (u16, u16),
}

/// What the window has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// A key by its keycode.
    Key(u8, Way),
    /// A button of the mouse, and where.
    Button(u8, Way, (i16, i16)),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Down,
    Up,
}

impl<'x> Canvas<'x> {
    pub fn open(xvfb: &'x Xvfb) -> Result<Self> {
        let (connection, screen) = RustConnection::connect(Some(&xvfb.display)).map_err(said)?;
        let screen = connection.setup().roots.get(screen).ok_or("no screen")?.clone();
        let size = (screen.width_in_pixels, screen.height_in_pixels);
        let (window, context) =
            (connection.generate_id().map_err(said)?, connection.generate_id().map_err(said)?);
        let told = EventMask::KEY_PRESS
            | EventMask::KEY_RELEASE
            | EventMask::BUTTON_PRESS
            | EventMask::BUTTON_RELEASE;
        let look = CreateWindowAux::new().override_redirect(1).event_mask(told);
        connection
            .create_window(
                COPY_DEPTH_FROM_PARENT,
                window,
                screen.root,
                0,
                0,
                size.0,
                size.1,
                0,
                WindowClass::INPUT_OUTPUT,
                0,
                &look,
            )
            .map_err(said)?;
        connection.create_gc(context, window, &CreateGCAux::new()).map_err(said)?;
        connection.map_window(window).map_err(said)?;
        let focus = connection.set_input_focus(InputFocus::POINTER_ROOT, window, x11rb::CURRENT_TIME);
        focus.map_err(said)?.check().map_err(said)?;
        Ok(Self { xvfb, connection, window, context, size })
    }

    /// Paints the picture of a number, and waits until it is in the frame buffer.
    pub fn paint(&self, number: usize) -> Result<Picture> {
        let (width, height) = self.size;
        self.show(Picture::painted(width.into(), height.into(), number))
    }

    /// The same with a picture of noise.
    pub fn noise(&self, number: usize) -> Result<Picture> {
        let (width, height) = self.size;
        self.show(Picture::noise(width.into(), height.into(), number))
    }

    fn show(&self, picture: Picture) -> Result<Picture> {
        let (width, height) = self.size;
        let rows = picture.pixels.chunks(ROWS * usize::from(width));
        for (top, rows) in (0..height).step_by(ROWS).zip(rows) {
            let bytes: Vec<u8> =
                rows.iter().flat_map(|[blue, green, red]| [*blue, *green, *red, 0]).collect();
            let count = u16::try_from(rows.len() / usize::from(width)).map_err(said)?;
            let (format, top) = (ImageFormat::Z_PIXMAP, i16::try_from(top).map_err(said)?);
            let (window, context) = (self.window, self.context);
            let painted =
                self.connection.put_image(format, window, context, width, count, 0, top, 0, 24, &bytes);
            painted.map_err(said)?.check().map_err(said)?;
        }
        wait_on(self.xvfb, &picture)?;
        Ok(picture)
    }

    /// What the window was told since the last time.
    pub fn told(&self) -> Result<Vec<Told>> {
        let mut told = Vec::new();
        while let Some(event) = self.connection.poll_for_event().map_err(said)? {
            told.push(match event {
                Event::KeyPress(key) => Told::Key(key.detail, Way::Down),
                Event::KeyRelease(key) => Told::Key(key.detail, Way::Up),
                Event::ButtonPress(button) => {
                    Told::Button(button.detail, Way::Down, (button.event_x, button.event_y))
                }
                Event::ButtonRelease(button) => {
                    Told::Button(button.detail, Way::Up, (button.event_x, button.event_y))
                }
                _ => continue,
            });
        }
        Ok(told)
    }
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}
