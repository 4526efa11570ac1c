//! Keyboard and mouse.

use std::io;

use tracing::debug;
use x11rb::connection::Connection as _;
use x11rb::errors::ConnectionError;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ConnectionExt as _, KEY_PRESS_EVENT, KEY_RELEASE_EVENT,
    Keycode, Keysym, MOTION_NOTIFY_EVENT, Window,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

use super::keys::{keycode, keysym};
use super::{connect, failed, lost, refused};
use crate::input::{InputEvent, InputSink, MouseButton};

/// The version of the XTEST extension that is spoken.
const XTEST: (u8, u16) = (2, 2);
/// One notch of a wheel.
const NOTCH: i32 = 120;
/// Keycodes that are lent to characters. More than one, as programs look up what a key means some time after it was
/// pressed.
const SPARE: usize = 8;
/// No keysym.
const NO_SYMBOL: Keysym = 0;

/// Keyboard and mouse of an X11 display, through its XTEST extension.
///
/// Keys are told by their places, so what they write is up to the keyboard layout of the display. Characters are typed with
/// keycodes that have no meaning otherwise, which get one as long as this value lives; where there are none, characters are
/// dropped. A key that repeats is pressed once: X servers repeat by themselves.
///
/// Every call talks to the X server; those that type characters, and the end of this value, wait for its answer.
#[derive(Debug)]
pub struct X11Input {
    connection: RustConnection,
    root: Window,
    /// Keycodes that are down.
    down: Vec<Keycode>,
    wheels: [Wheel; 2],
    /// The first half of a surrogate pair.
    half: Option<u16>,
    /// Keycodes for characters and what they mean now, the one that was used last at the end.
    spare: Vec<(Keycode, Keysym)>,
}

impl X11Input {
    /// Connects to a display (`:0`, `host:0.1`), or to that of `$DISPLAY`. Blocks.
    ///
    /// # Errors
    /// When there is no such display, or it has no XTEST extension.
    pub fn open(name: Option<&str>) -> io::Result<Self> {
        let (connection, screen) = connect(name)?;
        let (major, minor) = XTEST;
        let version = connection.xtest_get_version(major, minor).map_err(|error| match error {
            ConnectionError::UnsupportedExtension => {
                io::Error::new(io::ErrorKind::Unsupported, "the X11 display has no XTEST extension")
            }
            other => lost(other),
        })?;
        version.reply().map_err(failed)?;
        let spare = spare(&connection)?;
        let wheels = [Wheel::default(), Wheel::default()];
        Ok(Self { connection, root: screen.root, down: Vec::new(), wheels, half: None, spare })
    }

    fn fake(&self, kind: u8, detail: u8, (x, y): (u16, u16)) -> io::Result<()> {
        let at = |n: u16| i16::try_from(n).unwrap_or(i16::MAX);
        let sent =
            self.connection.xtest_fake_input(kind, detail, x11rb::CURRENT_TIME, self.root, at(x), at(y), 0);
        // An error is told among the events.
        sent.map(drop).map_err(lost)
    }

    fn key(&mut self, code: Keycode, down: bool) -> io::Result<()> {
        let at = self.down.iter().position(|held| *held == code);
        match (down, at) {
            (true, None) => self.down.push(code),
            (false, Some(at)) => {
                self.down.swap_remove(at);
            }
            _ => return Ok(()),
        }
        self.fake(if down { KEY_PRESS_EVENT } else { KEY_RELEASE_EVENT }, code, (0, 0))
    }

    fn button(&self, button: u8, down: bool) -> io::Result<()> {
        self.fake(if down { BUTTON_PRESS_EVENT } else { BUTTON_RELEASE_EVENT }, button, (0, 0))
    }

    fn wheel(&mut self, delta: i16, horizontal: bool) -> io::Result<()> {
        let [vertical, sideways] = &mut self.wheels;
        let (wheel, forth, back) = if horizontal { (sideways, 7, 6) } else { (vertical, 4, 5) };
        let notches = wheel.turn(delta);
        let button = if notches > 0 { forth } else { back };
        for _ in 0..notches.unsigned_abs() {
            self.button(button, true)?;
            self.button(button, false)?;
        }
        Ok(())
    }

    /// Types a character.
    fn character(&mut self, character: char) -> io::Result<()> {
        let Some(keysym) = keysym(character) else { return Ok(()) };
        if self.spare.is_empty() {
            debug!("no keycode is spare: a character is dropped");
            return Ok(());
        }
        let at = self.spare.iter().position(|(_, meaning)| *meaning == keysym).unwrap_or_default();
        let (code, meaning) = self.spare.remove(at);
        self.spare.push((code, keysym));
        if meaning != keysym {
            self.lend(code, keysym)?;
        }
        self.key(code, true)?;
        self.key(code, false)
    }

    /// Gives a keycode a meaning, with and without Shift.
    fn lend(&self, code: Keycode, keysym: Keysym) -> io::Result<()> {
        let lent = self.connection.change_keyboard_mapping(1, code, 2, &[keysym, keysym]).map_err(lost)?;
        lent.check().map_err(failed)
    }

    fn deliver(&mut self, event: InputEvent) -> io::Result<()> {
        match event {
            InputEvent::Key { down, .. } | InputEvent::Pause { down } => {
                keycode(event).map_or(Ok(()), |code| self.key(code, down))
            }
            InputEvent::Unicode { unit, down: true } => {
                let pair = self.half.take().into_iter().chain([unit]);
                match char::decode_utf16(pair).last() {
                    Some(Ok(character)) => self.character(character),
                    _ => {
                        self.half = Some(unit);
                        Ok(())
                    }
                }
            }
            // A character is typed when it is pressed.
            InputEvent::Unicode { down: false, .. } => Ok(()),
            InputEvent::Pointer { x, y } => self.fake(MOTION_NOTIFY_EVENT, 0, (x, y)),
            InputEvent::Button { button, down } => {
                let button = match button {
                    MouseButton::Left => 1,
                    MouseButton::Middle => 2,
                    MouseButton::Right => 3,
                    MouseButton::Extended1 => 8,
                    MouseButton::Extended2 => 9,
                };
                self.button(button, down)
            }
            InputEvent::Wheel { delta, horizontal } => self.wheel(delta, horizontal),
        }
    }
}

impl InputSink for X11Input {
    fn input(&mut self, event: InputEvent) -> io::Result<()> {
        // Everybody is told of new meanings of keys; they only have to be taken away.
        while let Some(event) = self.connection.poll_for_event().map_err(lost)? {
            if let Event::Error(error) = event {
                return Err(refused(&error));
            }
        }
        self.deliver(event)?;
        self.connection.flush().map_err(lost)
    }
}

impl Drop for X11Input {
    /// Takes meanings back, and waits until the X server has done everything: it may forget what it has not yet read.
    fn drop(&mut self) {
        for (code, meaning) in &self.spare {
            if *meaning != NO_SYMBOL {
                let _gone = self.lend(*code, NO_SYMBOL);
            }
        }
        if let Ok(asked) = self.connection.get_input_focus() {
            let _gone = asked.reply();
        }
    }
}

/// Keycodes without meaning.
fn spare(connection: &RustConnection) -> io::Result<Vec<(Keycode, Keysym)>> {
    let (first, last) = (connection.setup().min_keycode, connection.setup().max_keycode);
    let count = last.saturating_sub(first).saturating_add(1);
    let mapping = connection.get_keyboard_mapping(first, count).map_err(lost)?.reply().map_err(failed)?;
    let each = usize::from(mapping.keysyms_per_keycode).max(1);
    let keys = (first..=last).zip(mapping.keysyms.chunks(each));
    let free = keys.rev().filter(|(_, keysyms)| keysyms.iter().all(|keysym| *keysym == NO_SYMBOL));
    Ok(free.map(|(code, _)| (code, NO_SYMBOL)).take(SPARE).collect())
}

/// A wheel, which may turn by less than a notch.
#[derive(Debug, Default, Clone, Copy)]
struct Wheel {
    turned: i32,
}

impl Wheel {
    /// Whole notches since the last one.
    fn turn(&mut self, delta: i16) -> i32 {
        let turned = self.turned.saturating_add(i32::from(delta));
        let notches = turned.checked_div(NOTCH).unwrap_or_default();
        self.turned = turned.checked_rem(NOTCH).unwrap_or_default();
        notches
    }
}

#[cfg(test)]
mod tests {
    use super::Wheel;

    #[test]
    fn parts_of_notches_add_up() {
        let mut wheel = Wheel::default();
        let turned = [120, -240, 60, 59, 1, -119, -1, 255, -255].map(|delta| wheel.turn(delta));
        assert_eq!(turned, [1, -2, 0, 0, 1, 0, -1, 2, -2]);
    }
}
