//! A display of the X Window System: its screen is shared, its keyboard and mouse are used.

mod display;
mod input;
mod keys;

use std::io;

use x11rb::connection::Connection as _;
use x11rb::errors::{ConnectionError, ReplyError};
use x11rb::protocol::xproto::Screen;
use x11rb::rust_connection::RustConnection;

pub use display::X11Display;
pub use input::X11Input;

/// Connects to a display, as `$DISPLAY` names one, and finds the screen in its name.
fn connect(name: Option<&str>) -> io::Result<(RustConnection, Screen)> {
    let (connection, screen) = RustConnection::connect(name).map_err(|error| {
        let name = name.map_or_else(|| "of $DISPLAY".to_owned(), |name| format!("{name:?}"));
        io::Error::other(format!("no connection to the X11 display {name}: {error}"))
    })?;
    let screen = connection.setup().roots.get(screen).cloned();
    let screen = screen.ok_or_else(|| io::Error::other("the X11 display has no such screen"))?;
    Ok((connection, screen))
}

fn lost(error: ConnectionError) -> io::Error {
    io::Error::other(format!("the connection to the X11 display failed: {error}"))
}

fn failed(error: ReplyError) -> io::Error {
    match error {
        ReplyError::ConnectionError(error) => lost(error),
        ReplyError::X11Error(error) => refused(&error),
    }
}

fn refused(error: &x11rb::x11_utils::X11Error) -> io::Error {
    let request = error.request_name.unwrap_or("a request");
    io::Error::other(format!("the X11 display refuses {request}: {:?}", error.error_kind))
}
