//! Keys: scan codes as keycodes, characters as keysyms.

use crate::InputEvent;

/// X servers on Linux count the codes of evdev from 8.
const FIRST: u8 = 8;

/// The keycode of a key, for X servers whose keycodes are those of evdev, as are all on Linux. `None` for what is no key.
pub(super) fn keycode(event: InputEvent) -> Option<u8> {
    let code = match event {
        InputEvent::Key { scan_code, extended: false, .. } => plain(scan_code)?,
        InputEvent::Key { scan_code, extended: true, .. } => extended(scan_code)?,
        InputEvent::Pause { .. } => 119,
        _ => return None,
    };
    code.checked_add(FIRST)
}

/// The code of evdev (`linux/input-event-codes.h`) for a scan code of set 1.
const fn plain(scan_code: u8) -> Option<u8> {
    Some(match scan_code {
        // Escape to the decimal point of the keypad, the key beside the left Shift, F11 and F12: evdev took them over.
        0x01..=0x53 | 0x56..=0x58 => scan_code,
        // Print Screen with Alt.
        0x54 => 99,
        // = of the keypad, and its comma in Japan.
        0x59 => 117,
        0x5C => 95,
        // F13 to F24.
        0x64 => 183,
        0x65 => 184,
        0x66 => 185,
        0x67 => 186,
        0x68 => 187,
        0x69 => 188,
        0x6A => 189,
        0x6B => 190,
        0x6C => 191,
        0x6D => 192,
        0x6E => 193,
        0x76 => 194,
        // Katakana and Hiragana, ro, Hiragana, Katakana, Henkan, Muhenkan, yen.
        0x70 => 93,
        0x73 => 89,
        0x77 => 91,
        0x78 => 90,
        0x79 => 92,
        0x7B => 94,
        0x7D => 124,
        // Comma of the keypad in Brazil.
        0x7E => 121,
        // Hanja and Hangul.
        0x71 | 0xF1 => 123,
        0x72 | 0xF2 => 122,
        _ => return None,
    })
}

/// The same for a scan code after E0.
const fn extended(scan_code: u8) -> Option<u8> {
    Some(match scan_code {
        // Previous and next track, mute, calculator, play, stop, volume, home page.
        0x10 => 165,
        0x19 => 163,
        0x20 => 113,
        0x21 => 140,
        0x22 => 164,
        0x24 => 166,
        0x2E => 114,
        0x30 => 115,
        0x32 => 172,
        // Enter and / of the keypad, the right Ctrl and Alt, Print Screen.
        0x1C => 96,
        0x1D => 97,
        0x35 => 98,
        0x37 => 99,
        0x38 => 100,
        // Num Lock, as Windows tells it to its own programs.
        0x45 => 69,
        // Pause with Ctrl.
        0x46 => 119,
        // Home, up, page up, left, right, end, down, page down, insert, delete.
        0x47 => 102,
        0x48 => 103,
        0x49 => 104,
        0x4B => 105,
        0x4D => 106,
        0x4F => 107,
        0x50 => 108,
        0x51 => 109,
        0x52 => 110,
        0x53 => 111,
        // Windows keys and menu; power, sleep, wake up.
        0x5B => 125,
        0x5C => 126,
        0x5D => 127,
        0x5E => 116,
        0x5F => 142,
        0x63 => 143,
        // Search, favourites, refresh, stop, forward, back, computer, mail, media.
        0x65 => 217,
        0x66 => 156,
        0x67 => 173,
        0x68 => 128,
        0x69 => 159,
        0x6A => 158,
        0x6B => 157,
        0x6C => 155,
        0x6D => 226,
        // Among them 2A and 36, the shifts that old keyboards say around the keys in the middle.
        _ => return None,
    })
}

/// The keysym of a character; `None` for control characters that no key writes.
pub(super) fn keysym(character: char) -> Option<u32> {
    let code = u32::from(character);
    match code {
        0x08 | 0x09 | 0x0D | 0x1B => Some(0xFF00 | code),
        // A line feed is written with the same key as a carriage return.
        0x0A => Some(0xFF0D),
        0x7F => Some(0xFFFF),
        // Latin-1 stands for itself.
        0x20..=0x7E | 0xA0..=0xFF => Some(code),
        0x100.. => Some(0x0100_0000 | code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{keycode, keysym};
    use crate::InputEvent;

    fn key(scan_code: u8, extended: bool) -> Option<u8> {
        keycode(InputEvent::Key { scan_code, extended, down: true })
    }

    /// What `xmodmap -pke` shows with the keycodes of evdev.
    #[test]
    fn keys_stand_where_the_x_server_has_them() {
        let plain = [
            (0x01, 9),
            (0x10, 24),
            (0x1D, 37),
            (0x1E, 38),
            (0x2A, 50),
            (0x30, 56),
            (0x38, 64),
            (0x39, 65),
            (0x3A, 66),
            (0x3B, 67),
            (0x44, 76),
            (0x45, 77),
            (0x46, 78),
            (0x4A, 82),
            (0x53, 91),
            (0x56, 94),
            (0x57, 95),
            (0x58, 96),
            (0x64, 191),
            (0x6E, 201),
            (0x76, 202),
            (0x73, 97),
            (0x7D, 132),
        ];
        for (scan_code, wanted) in plain {
            assert_eq!(key(scan_code, false), Some(wanted), "{scan_code:#04x}");
        }
        let extended = [
            (0x1C, 104),
            (0x1D, 105),
            (0x35, 106),
            (0x37, 107),
            (0x38, 108),
            (0x47, 110),
            (0x48, 111),
            (0x49, 112),
            (0x4B, 113),
            (0x4D, 114),
            (0x4F, 115),
            (0x50, 116),
            (0x51, 117),
            (0x52, 118),
            (0x53, 119),
            (0x5B, 133),
            (0x5C, 134),
            (0x5D, 135),
            (0x20, 121),
            (0x65, 225),
        ];
        for (scan_code, wanted) in extended {
            assert_eq!(key(scan_code, true), Some(wanted), "E0 {scan_code:#04x}");
        }
        assert_eq!(keycode(InputEvent::Pause { down: true }), Some(127));
    }

    #[test]
    fn what_is_no_key_has_no_keycode() {
        for (scan_code, extended) in [(0, false), (0x55, false), (0xFF, false), (0x2A, true), (0x36, true)] {
            assert_eq!(key(scan_code, extended), None, "{scan_code:#04x}");
        }
        assert_eq!(keycode(InputEvent::Pointer { x: 1, y: 1 }), None);
        assert_eq!(keycode(InputEvent::Unicode { unit: 65, down: true }), None);
    }

    /// Two keys on the same keycode: only what is known to be one.
    #[test]
    fn different_keys_have_different_keycodes() {
        let mut seen = std::collections::BTreeMap::new();
        for extended in [false, true] {
            for scan_code in 0..=u8::MAX {
                let Some(code) = key(scan_code, extended) else { continue };
                let same = seen.insert(code, (scan_code, extended));
                let known =
                    [(99, true), (69, true), (122, false), (123, false)].contains(&(code - 8, extended));
                assert!(same.is_none() || known, "{code}: {same:?} and {scan_code:#04x}");
            }
        }
        assert_eq!(seen.len(), 150);
    }

    #[test]
    fn characters_are_keysyms() {
        let known = [
            ('a', 0x61),
            (' ', 0x20),
            ('å', 0xE5),
            ('Ω', 0x0100_03A9),
            ('€', 0x0100_20AC),
            ('😀', 0x0101_F600),
            ('\r', 0xFF0D),
            ('\n', 0xFF0D),
            ('\t', 0xFF09),
            ('\u{8}', 0xFF08),
            ('\u{1B}', 0xFF1B),
            ('\u{7F}', 0xFFFF),
        ];
        for (character, wanted) in known {
            assert_eq!(keysym(character), Some(wanted), "{character:?}");
        }
        for character in ['\0', '\u{1}', '\u{85}'] {
            assert_eq!(keysym(character), None, "{character:?}");
        }
    }
}
