//! What the expert types and points at.

use std::io;

use ironrdp_pdu::input::fast_path::{FastPathInputEvent, KeyboardFlags};
use ironrdp_pdu::input::mouse::{MousePdu, PointerFlags};
use ironrdp_pdu::input::mouse_x::{MouseXPdu, PointerXFlags};
use ironrdp_pdu::input::{InputEvent as SlowPath, scan_code, unicode};

/// Things that are held at a time: more than there are fingers.
const HELD: usize = 64;
/// Ctrl and Num Lock: with E1 before them they are the Pause key ([MS-RDPBCGR] 2.2.8.1.1.3.1.1.1).
const PAUSE: [u8; 2] = [0x1D, 0x45];

/// A button of the mouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MouseButton {
    /// Left.
    Left,
    /// Right.
    Right,
    /// Middle, or the wheel pressed.
    Middle,
    /// The first extended one, which mostly goes back ([MS-RDPBCGR] 2.2.8.1.2.2.4).
    Extended1,
    /// The second extended one, which mostly goes forward.
    Extended2,
}

/// Input of the expert.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputEvent {
    /// A key by its scan code, set 1 ([MS-RDPBCGR] 2.2.8.1.2.2.1).
    Key {
        /// The code.
        scan_code: u8,
        /// Whether E0 comes before it.
        extended: bool,
        /// Pressed, or released.
        down: bool,
    },
    /// The Pause key: the one with E1 before its code.
    Pause {
        /// Pressed, or released.
        down: bool,
    },
    /// A UTF-16 code unit.
    Unicode {
        /// The unit.
        unit: u16,
        /// Pressed, or released.
        down: bool,
    },
    /// The pointer is there, in pixels.
    Pointer {
        /// From the left.
        x: u16,
        /// From the top.
        y: u16,
    },
    /// A button.
    Button {
        /// Which.
        button: MouseButton,
        /// Pressed, or released.
        down: bool,
    },
    /// The wheel was turned: 120 is one notch, away from the user.
    Wheel {
        /// How far.
        delta: i16,
        /// Sideways.
        horizontal: bool,
    },
}

impl InputEvent {
    /// Whether something goes down (`true`) or up, and the event of its going up.
    fn hold(self) -> Option<(bool, Self)> {
        Some(match self {
            Self::Key { scan_code, extended, down } => (down, Self::Key { scan_code, extended, down: false }),
            Self::Pause { down } => (down, Self::Pause { down: false }),
            Self::Unicode { unit, down } => (down, Self::Unicode { unit, down: false }),
            Self::Button { button, down } => (down, Self::Button { button, down: false }),
            Self::Pointer { .. } | Self::Wheel { .. } => return None,
        })
    }
}

/// Where input goes. It is called only while control is shared, but for one thing: what is still held when control or the
/// connection ends is released then. So a sink is told each release, and none of what was not pressed. What is held may be
/// pressed again: a key repeats.
pub trait InputSink: Send {
    /// Does what the expert did.
    ///
    /// # Errors
    /// When no input can be delivered any more: the session ends.
    fn input(&mut self, event: InputEvent) -> io::Result<()>;
}

/// Takes no input.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoInput;

impl InputSink for NoInput {
    fn input(&mut self, _: InputEvent) -> io::Result<()> {
        Ok(())
    }
}

impl<F: FnMut(InputEvent) + Send> InputSink for F {
    fn input(&mut self, event: InputEvent) -> io::Result<()> {
        self(event);
        Ok(())
    }
}

/// A sink, and what the expert holds there.
pub(crate) struct Hand {
    sink: Box<dyn InputSink>,
    /// How each of it is released.
    held: Vec<InputEvent>,
    /// The first half of the Pause key came.
    pause: bool,
}

impl Hand {
    pub(crate) const fn new(sink: Box<dyn InputSink>) -> Self {
        Self { sink, held: Vec::new(), pause: false }
    }

    /// Does what an event of [MS-RDPBCGR] 2.2.8.1.2.2 says.
    pub(crate) fn take(&mut self, event: &FastPathInputEvent) -> io::Result<()> {
        if let FastPathInputEvent::KeyboardEvent(flags, scan_code) = event {
            if flags.contains(KeyboardFlags::EXTENDED1) {
                self.pause = *scan_code == PAUSE[0];
                return Ok(());
            }
            if std::mem::take(&mut self.pause) && *scan_code == PAUSE[1] {
                return self.input(InputEvent::Pause { down: !flags.contains(KeyboardFlags::RELEASE) });
            }
        }
        let mut done = Ok(());
        translate(event, |event| {
            if done.is_ok() {
                done = self.input(event);
            }
        });
        done
    }

    fn input(&mut self, event: InputEvent) -> io::Result<()> {
        if let Some((down, up)) = event.hold() {
            let held = self.held.iter().position(|held| *held == up);
            match (down, held) {
                (true, None) => {
                    if self.held.len() >= HELD {
                        self.sink.input(self.held.remove(0))?;
                    }
                    self.held.push(up);
                }
                (true, Some(_)) => {}
                (false, Some(at)) => {
                    self.held.remove(at);
                }
                (false, None) => return Ok(()),
            }
        }
        self.sink.input(event)
    }

    /// Releases what is held.
    pub(crate) fn release(&mut self) -> io::Result<()> {
        self.pause = false;
        while let Some(up) = self.held.pop() {
            self.sink.input(up)?;
        }
        Ok(())
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        let _nobody_hears = self.release();
    }
}

/// An event of the slow path ([MS-RDPBCGR] 2.2.8.1.1.3.1.1) as one of the fast path.
pub(crate) fn slow_path(event: &SlowPath) -> Option<FastPathInputEvent> {
    Some(match event {
        SlowPath::ScanCode(key) => {
            let mut flags = KeyboardFlags::empty();
            flags.set(KeyboardFlags::RELEASE, key.flags.contains(scan_code::KeyboardFlags::RELEASE));
            flags.set(KeyboardFlags::EXTENDED, key.flags.contains(scan_code::KeyboardFlags::EXTENDED));
            flags.set(KeyboardFlags::EXTENDED1, key.flags.contains(scan_code::KeyboardFlags::EXTENDED_1));
            FastPathInputEvent::KeyboardEvent(flags, u8::try_from(key.key_code).ok()?)
        }
        SlowPath::Unicode(key) => {
            let mut flags = KeyboardFlags::empty();
            flags.set(KeyboardFlags::RELEASE, key.flags.contains(unicode::KeyboardFlags::RELEASE));
            FastPathInputEvent::UnicodeKeyboardEvent(flags, key.unicode_code)
        }
        SlowPath::Mouse(mouse) => FastPathInputEvent::MouseEvent(*mouse),
        SlowPath::MouseX(mouse) => FastPathInputEvent::MouseEventEx(*mouse),
        SlowPath::Sync(_) | SlowPath::Unused(_) | SlowPath::MouseRel(_) => return None,
    })
}

/// What an event of [MS-RDPBCGR] 2.2.8.1.2.2 says.
fn translate(event: &FastPathInputEvent, mut each: impl FnMut(InputEvent)) {
    match event {
        FastPathInputEvent::KeyboardEvent(flags, scan_code) => each(InputEvent::Key {
            scan_code: *scan_code,
            extended: flags.contains(KeyboardFlags::EXTENDED),
            down: !flags.contains(KeyboardFlags::RELEASE),
        }),
        FastPathInputEvent::UnicodeKeyboardEvent(flags, unit) => {
            each(InputEvent::Unicode { unit: *unit, down: !flags.contains(KeyboardFlags::RELEASE) });
        }
        FastPathInputEvent::MouseEvent(mouse) => translate_mouse(mouse, each),
        FastPathInputEvent::MouseEventEx(mouse) => {
            each(InputEvent::Pointer { x: mouse.x_position, y: mouse.y_position });
            let down = mouse.flags.contains(PointerXFlags::DOWN);
            for (flag, button) in [
                (PointerXFlags::BUTTON1, MouseButton::Extended1),
                (PointerXFlags::BUTTON2, MouseButton::Extended2),
            ] {
                if mouse.flags.contains(flag) {
                    each(InputEvent::Button { button, down });
                }
            }
        }
        _ => {}
    }
}

fn translate_mouse(mouse: &MousePdu, mut each: impl FnMut(InputEvent)) {
    let has = |flag| mouse.flags.contains(flag);
    let (vertical, horizontal) = (has(PointerFlags::VERTICAL_WHEEL), has(PointerFlags::HORIZONTAL_WHEEL));
    if vertical || horizontal {
        let delta = mouse.number_of_wheel_rotation_units;
        return each(InputEvent::Wheel { delta, horizontal });
    }
    each(InputEvent::Pointer { x: mouse.x_position, y: mouse.y_position });
    for (flag, button) in [
        (PointerFlags::LEFT_BUTTON, MouseButton::Left),
        (PointerFlags::RIGHT_BUTTON, MouseButton::Right),
        (PointerFlags::MIDDLE_BUTTON_OR_WHEEL, MouseButton::Middle),
    ] {
        if has(flag) {
            each(InputEvent::Button { button, down: has(PointerFlags::DOWN) });
        }
    }
}

/// Appends what of [MS-RDPBCGR] 2.2.8.1.2.2 says what the expert did. `pointer`: where the pointer is; buttons and wheel
/// happen there.
pub(crate) fn encode(event: InputEvent, pointer: &mut (u16, u16), out: &mut Vec<FastPathInputEvent>) {
    let keyboard = |prefix: KeyboardFlags, down: bool| {
        let mut flags = prefix;
        flags.set(KeyboardFlags::RELEASE, !down);
        flags
    };
    let none = KeyboardFlags::empty();
    let (flags, rotation) = match event {
        InputEvent::Key { scan_code, extended, down } => {
            let prefix = if extended { KeyboardFlags::EXTENDED } else { none };
            return out.push(FastPathInputEvent::KeyboardEvent(keyboard(prefix, down), scan_code));
        }
        InputEvent::Pause { down } => {
            let [first, second] = PAUSE;
            let prefix = keyboard(KeyboardFlags::EXTENDED1, down);
            out.push(FastPathInputEvent::KeyboardEvent(prefix, first));
            return out.push(FastPathInputEvent::KeyboardEvent(keyboard(none, down), second));
        }
        InputEvent::Unicode { unit, down } => {
            return out.push(FastPathInputEvent::UnicodeKeyboardEvent(keyboard(none, down), unit));
        }
        InputEvent::Pointer { x, y } => {
            *pointer = (x, y);
            (PointerFlags::MOVE, 0)
        }
        InputEvent::Button { button, down } => {
            let mut flags = match button {
                MouseButton::Left => PointerFlags::LEFT_BUTTON,
                MouseButton::Right => PointerFlags::RIGHT_BUTTON,
                MouseButton::Middle => PointerFlags::MIDDLE_BUTTON_OR_WHEEL,
                MouseButton::Extended1 => return out.push(extended(PointerXFlags::BUTTON1, down, *pointer)),
                MouseButton::Extended2 => return out.push(extended(PointerXFlags::BUTTON2, down, *pointer)),
            };
            flags.set(PointerFlags::DOWN, down);
            (flags, 0)
        }
        InputEvent::Wheel { delta, horizontal } => {
            let flags =
                if horizontal { PointerFlags::HORIZONTAL_WHEEL } else { PointerFlags::VERTICAL_WHEEL };
            // Nine bits on the wire, and -256 would be all of them.
            (flags, delta.clamp(-255, 255))
        }
    };
    let (x_position, y_position) = *pointer;
    out.push(FastPathInputEvent::MouseEvent(MousePdu {
        flags,
        number_of_wheel_rotation_units: rotation,
        x_position,
        y_position,
    }));
}

fn extended(button: PointerXFlags, down: bool, (x_position, y_position): (u16, u16)) -> FastPathInputEvent {
    let mut flags = button;
    flags.set(PointerXFlags::DOWN, down);
    FastPathInputEvent::MouseEventEx(MouseXPdu { flags, x_position, y_position })
}
