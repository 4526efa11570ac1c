//! Displays without a screen, and what is done on them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt as _, EventMask};

use super::DEADLINE;
use super::program::Killed;
use super::screen::Picture;
use crate::run::{Result, command};

/// A display that keeps its frame buffer in a file.
pub struct Xvfb {
    pub display: String,
    folder: PathBuf,
    _server: Killed,
}

impl Xvfb {
    /// `size`: as `1024x768`.
    pub fn start(folder: &Path, size: &str) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|e| e.to_string())?;
        // A server that begins anew after its last client refuses the next for a moment.
        // -r: a key that is held does not repeat itself.
        let mut xvfb = command("Xvfb -displayfd 1 -noreset -r -nolisten tcp -screen 0");
        xvfb.arg(format!("{size}x24")).arg("-fbdir").arg(folder);
        let mut server = Killed::spawn(xvfb.stdout(Stdio::piped()).stderr(Stdio::null()))?;
        let out = server.0.stdout.take().expect("piped");
        let (sender, number) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let _read = BufReader::new(out).read_line(&mut line);
            let _nobody_waits = sender.send(line.trim().to_owned());
        });
        let number = number.recv_timeout(DEADLINE).ok().filter(|n| !n.is_empty());
        let display = format!(":{}", number.ok_or("Xvfb does not start")?);
        Ok(Self { display, folder: folder.into(), _server: server })
    }

    /// The frame buffer.
    pub fn screen(&self) -> Result<Picture> {
        Picture::from_xwd(&self.folder.join("Xvfb_screen0"))
    }

    /// Has xdotool do something in the window of xfreerdp.
    pub fn in_freerdp(&self, what: &[&str]) -> Result {
        let window = ["search", "--sync", "--onlyvisible", "--name", "^FreeRDP", "windowfocus", "--sync"];
        self.xdotool(&[&window, what].concat())
    }

    /// Closes the window of xfreerdp, as a window manager does for its user.
    pub fn close_freerdp(&self) -> Result {
        let said = |e: &dyn std::fmt::Display| e.to_string();
        let (connection, screen) = x11rb::connect(Some(&self.display)).map_err(|e| said(&e))?;
        let root = connection.setup().roots[screen].root;
        let windows = connection.query_tree(root).map_err(|e| said(&e))?.reply().map_err(|e| said(&e))?;
        let atom = |name: &str| -> Result<u32> {
            let asked = connection.intern_atom(false, name.as_bytes()).map_err(|e| said(&e))?;
            Ok(asked.reply().map_err(|e| said(&e))?.atom)
        };
        let (protocols, delete) = (atom("WM_PROTOCOLS")?, atom("WM_DELETE_WINDOW")?);
        for window in windows.children {
            let name = connection.get_property(false, window, AtomEnum::WM_NAME, AtomEnum::ANY, 0, 64);
            let name = name.map_err(|e| said(&e))?.reply().map_err(|e| said(&e))?.value;
            if name.starts_with(b"FreeRDP") {
                let event = ClientMessageEvent::new(32, window, protocols, [delete, 0, 0, 0, 0]);
                let sent = connection.send_event(false, window, EventMask::NO_EVENT, event);
                return sent.map_err(|e| said(&e))?.check().map_err(|e| said(&e));
            }
        }
        Err("xfreerdp has no window".into())
    }

    /// A key that was held by xdotool is not any more.
    pub fn let_go(&self, key: &str) -> Result {
        self.xdotool(&["keyup", key])
    }

    fn xdotool(&self, what: &[&str]) -> Result {
        let mut xdotool = Command::new("xdotool");
        let status = Killed::silent(xdotool.args(what).env("DISPLAY", &self.display))?.0.wait();
        let status = status.map_err(|e| format!("xdotool: {e}"))?;
        if status.success() { Ok(()) } else { Err(format!("xdotool ended with {status}")) }
    }
}
