//! What a novice shows, and where the expert's input goes.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::str::FromStr;

use ra_rdp::{DisplaySource, InputEvent, InputSink, Picture};
use tokio::sync::mpsc::UnboundedSender;

/// What a novice shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A test picture.
    Test,
    /// An image.
    Png(PathBuf),
    /// The screen of a display; without a name, that of `$DISPLAY`.
    X11(Option<String>),
}

impl FromStr for Shown {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once(':') {
            _ if text == "test" => Self::Test,
            _ if text == "x11" => Self::X11(None),
            Some(("x11", display)) if !cfg!(unix) || display.is_empty() => {
                return Err("x11:DISPLAY wants a display, as x11::0, and a system that has such displays");
            }
            Some(("x11", display)) => Self::X11(Some(display.to_owned())),
            _ => Self::Png(text.into()),
        })
    }
}

impl Shown {
    /// The screen, and what takes the input. `input` is told what is done on a screen without keyboard and mouse.
    pub fn open(
        &self,
        input: UnboundedSender<InputEvent>,
    ) -> io::Result<(Box<dyn DisplaySource>, Box<dyn InputSink>)> {
        let tell = move |event| {
            let _nobody_reads = input.send(event);
        };
        let picture = match self {
            Self::Test => ra_rdp::test_picture(800, 600),
            Self::Png(path) => File::open(path)
                .and_then(|file| Picture::from_png(BufReader::new(file)))
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?,
            #[cfg(unix)]
            Self::X11(display) => {
                let screen = ra_rdp::X11Display::open(display.as_deref())?;
                return Ok((Box::new(screen), Box::new(ra_rdp::X11Input::open(display.as_deref())?)));
            }
            #[cfg(not(unix))]
            Self::X11(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok((Box::new(picture), Box::new(tell)))
    }
}
