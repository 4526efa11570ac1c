//! What the expert types and points at.

use ironrdp_pdu::input::fast_path::{FastPathInputEvent, KeyboardFlags};
use ironrdp_pdu::input::mouse::{MousePdu, PointerFlags};

/// A button of the mouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MouseButton {
    /// Left.
    Left,
    /// Right.
    Right,
    /// Middle, or the wheel pressed.
    Middle,
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

/// Where input goes. It is called only while control is shared.
pub trait InputSink: Send {
    /// Does what the expert did.
    fn input(&mut self, event: InputEvent);
}

/// Takes no input.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoInput;

impl InputSink for NoInput {
    fn input(&mut self, _: InputEvent) {}
}

impl<F: FnMut(InputEvent) + Send> InputSink for F {
    fn input(&mut self, event: InputEvent) {
        self(event);
    }
}

/// What an event of [MS-RDPBCGR] 2.2.8.1.2.2 says.
pub(crate) fn translate(event: &FastPathInputEvent, mut each: impl FnMut(InputEvent)) {
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

/// The event of [MS-RDPBCGR] 2.2.8.1.2.2 for what the expert did. `pointer`: where the pointer is; buttons and wheel happen there.
pub(crate) fn encode(event: InputEvent, pointer: &mut (u16, u16)) -> FastPathInputEvent {
    let keyboard = |extended, down: bool| {
        let mut flags = KeyboardFlags::empty();
        flags.set(KeyboardFlags::EXTENDED, extended);
        flags.set(KeyboardFlags::RELEASE, !down);
        flags
    };
    let (flags, rotation) = match event {
        InputEvent::Key { scan_code, extended, down } => {
            return FastPathInputEvent::KeyboardEvent(keyboard(extended, down), scan_code);
        }
        InputEvent::Unicode { unit, down } => {
            return FastPathInputEvent::UnicodeKeyboardEvent(keyboard(false, down), unit);
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
    FastPathInputEvent::MouseEvent(MousePdu {
        flags,
        number_of_wheel_rotation_units: rotation,
        x_position,
        y_position,
    })
}
