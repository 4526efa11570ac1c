//! What is to be seen on the display of Xvfb, and typing on it.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{DEADLINE, Lane};
use crate::run::Result;

/// The picture that `remassist novice --display test` shares, at a place of it: blue, green, red.
fn shared(x: usize, y: usize) -> [u8; 3] {
    if x.is_multiple_of(64) || y.is_multiple_of(64) {
        return [255; 3];
    }
    [y / 3, x / 4, x / 8 + y / 8].map(|n| (n % 256) as u8)
}

const SIZE: (usize, usize) = (800, 600);

/// Waits until the shared picture is on the display, wherever its window is.
pub fn wait_for_picture(lane: &Lane) -> Result {
    let begun = Instant::now();
    loop {
        let screen = fs::read(lane.folder.join("Xvfb_screen0")).map_err(|e| e.to_string())?;
        match differences(&screen) {
            Some(0) => return Ok(()),
            other if begun.elapsed() > DEADLINE => {
                return Err(format!("the picture is not on the screen: {other:?} places differ"));
            }
            _ => thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// How many of the places looked at differ, in an XWD dump of 32 bits for each pixel; the window stands in the corner.
fn differences(xwd: &[u8]) -> Option<usize> {
    let field = |n: usize| {
        let bytes = xwd.get(4 * n..4 * n + 4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(bytes)).ok()
    };
    let pixels = field(0)? + field(19)? * 12;
    let stride = field(12)?;
    let at = |x: usize, y: usize| xwd.get(pixels + y * stride + x * 4..)?.get(..3);
    let places = (0..SIZE.1).step_by(7).flat_map(|y| (0..SIZE.0).step_by(3).map(move |x| (x, y)));
    Some(places.filter(|(x, y)| at(*x, *y) != Some(&shared(*x, *y)[..])).count())
}

/// Types into the window of xfreerdp.
pub fn key(lane: &Lane, key: &str) -> Result {
    let mut xdotool = Command::new("xdotool");
    xdotool.args([
        "search",
        "--sync",
        "--onlyvisible",
        "--name",
        "^FreeRDP",
        "windowfocus",
        "--sync",
        "key",
        key,
    ]);
    xdotool.env("DISPLAY", &lane.display).stdout(Stdio::null()).stderr(Stdio::null());
    let status = xdotool.status().map_err(|e| format!("xdotool: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("xdotool ended with {status}")) }
}
