//! `remassist novice` shares an X11 display.

use std::time::{Duration, Instant};

use super::novice::Novice;
use super::paint::{Canvas, Told, Way};
use super::program::Killed;
use super::relay::Relay;
use super::screen::wait_on;
use super::shadow::{expert, sees};
use super::tshark::{Protection, judge};
use super::xvfb::Xvfb;
use super::{DEADLINE, Lane, PASSWORD, until};
use crate::run::Result;

/// Keycodes of evdev, which are those of scan codes and 8.
mod keycode {
    pub const CTRL: u8 = 0x1D + 8;
    pub const A: u8 = 0x1E + 8;
    pub const SHIFT: u8 = 0x2A + 8;
    pub const Z: u8 = 0x2C + 8;
    pub const X: u8 = 0x2D + 8;
    pub const C: u8 = 0x2E + 8;
    pub const B: u8 = 0x30 + 8;
    pub const M: u8 = 0x32 + 8;
    pub const ALT: u8 = 0x38 + 8;
}

/// What our expert types.
const TYPED: &str = "remassist";

/// The novice that shares a display.
fn share(lane: &Lane, name: &str, xvfb: &Xvfb, security: &str) -> Result<Novice> {
    let display = &xvfb.display;
    let arguments = format!("--allow view,control --display x11:{display} --security {security}");
    Novice::start(lane, name, 2, &arguments)
}

/// xfreerdp sees the display and its changes; what is done there comes once control is granted, and not before; what is
/// held when xfreerdp dies is released.
pub fn freerdp(lane: &Lane) -> Result {
    let xvfb = Xvfb::start(&lane.folder.join("shared"), "800x600")?;
    let canvas = Canvas::open(&xvfb)?;
    let painted = canvas.paint(11)?;
    let mut novice = share(lane, "novice-x11", &xvfb, "tls")?;
    let mut freerdp = Killed::silent(&mut lane.xfreerdp(&novice.file, PASSWORD, None))?;
    novice.program.wait("established")?;
    wait_on(&lane.xvfb, &painted)?;
    wait_on(&lane.xvfb, &canvas.paint(12)?)?;

    lane.xvfb.in_freerdp(&["key", "a", "mousemove", "--window", "%1", "20", "30", "click", "3"])?;
    let told = granted(lane, &canvas, &mut novice)?;
    let b = [Way::Down, Way::Up].map(|way| Told::Key(keycode::B, way));
    // The three keys of the question may be let go when control is there already.
    let late = [keycode::CTRL, keycode::ALT, keycode::C].map(|code| Told::Key(code, Way::Up));
    if let Some(early) = told.iter().find(|told| !b.contains(told) && !late.contains(told)) {
        return Err(format!("it came before control was granted: {early:?}"));
    }

    let click = ["mousemove", "--window", "%1", "123", "456", "click", "1"];
    lane.xvfb.in_freerdp(&[&["key", "shift+x", "z", "a"][..], &click].concat())?;
    let keys = [
        (keycode::SHIFT, Way::Down),
        (keycode::X, Way::Down),
        // xdotool lets them go in this order.
        (keycode::SHIFT, Way::Up),
        (keycode::X, Way::Up),
        (keycode::Z, Way::Down),
        (keycode::Z, Way::Up),
        (keycode::A, Way::Down),
        (keycode::A, Way::Up),
    ];
    let mut wanted: Vec<Told> = keys.iter().map(|(code, way)| Told::Key(*code, *way)).collect();
    wanted.extend([Way::Down, Way::Up].map(|way| Told::Button(1, way, (123, 456))));
    // Of the keys that asked for the grant some may still have been on their way.
    is_told(&canvas, &wanted, &b)?;

    lane.xvfb.in_freerdp(&["keydown", "m"])?;
    is_told(&canvas, &[Told::Key(keycode::M, Way::Down)], &[])?;
    freerdp.0.kill().map_err(|e| e.to_string())?;
    is_told(&canvas, &[Told::Key(keycode::M, Way::Up)], &[])?;
    lane.xvfb.let_go("m")?;
    novice.program.wait("closed")?;
    novice.program.ends_well()?;
    judge(lane, &novice.relay, Protection::Tls)
}

/// Has xfreerdp ask for control, and waits until it has it. What the window was told meanwhile.
fn granted(lane: &Lane, canvas: &Canvas<'_>, novice: &mut Novice) -> Result<Vec<Told>> {
    lane.xvfb.in_freerdp(&["key", "ctrl+alt+c"])?;
    novice.program.wait("control_requested")?;
    // The grant is on its way: it can only be seen by what follows from it.
    let begun = Instant::now();
    let mut told = Vec::new();
    while !told.contains(&Told::Key(keycode::B, Way::Up)) {
        if begun.elapsed() > DEADLINE {
            return Err(format!("no key after control was granted: {told:?}"));
        }
        lane.xvfb.in_freerdp(&["key", "b"])?;
        let next = Instant::now() + Duration::from_millis(500);
        while !told.contains(&Told::Key(keycode::B, Way::Up)) && Instant::now() < next {
            told.extend(canvas.told()?);
        }
    }
    Ok(told)
}

/// So many messages that the keys of RC4 are changed both ways, which is after 4,096 packets ([MS-RDPBCGR] 5.3.7): the
/// display is still seen, and keys still arrive.
pub fn keys_change(lane: &Lane) -> Result {
    let xvfb = Xvfb::start(&lane.folder.join("shared"), "800x600")?;
    let canvas = Canvas::open(&xvfb)?;
    let mut novice = share(lane, "novice-keys", &xvfb, "rdp --encryption 40")?;
    let mut freerdp = Killed::silent(&mut lane.xfreerdp(&novice.file, PASSWORD, None))?;
    novice.program.wait("established")?;
    // Every tile is a message.
    until_messages(&novice.relay, 1, |number| wait_on(&lane.xvfb, &canvas.paint(number)?))?;
    let moves: Vec<String> = (0..400).map(|n| (100 + n).to_string()).collect();
    let moves: Vec<&str> = moves.iter().flat_map(|x| ["mousemove", "--window", "%1", x, "100"]).collect();
    until_messages(&novice.relay, 0, |_| lane.xvfb.in_freerdp(&moves))?;
    granted(lane, &canvas, &mut novice)?;
    freerdp.0.kill().map_err(|e| e.to_string())?;
    novice.program.wait("closed")?;
    novice.program.ends_well()
}

/// Goes on until an end (the expert: 0) has said more than is needed for other keys.
pub fn until_messages(relay: &Relay, end: usize, mut more: impl FnMut(usize) -> Result) -> Result {
    /// 4,096 and those that are not encrypted.
    const MESSAGES: usize = 4_300;
    let mut number = 0;
    while relay.messages()[end] < MESSAGES {
        number += 1;
        if number > MESSAGES / 10 {
            return Err(format!("{:?} messages only", relay.messages()));
        }
        more(number)?;
    }
    // All of the last, too, with the new keys.
    more(number + 1)
}

/// Waits until the window was told this and nothing else; some may have come first.
fn is_told(canvas: &Canvas<'_>, wanted: &[Told], first: &[Told]) -> Result {
    let mut told = Vec::new();
    let result = until("what is done", || {
        told.extend(canvas.told()?);
        while told.first().is_some_and(|told| first.contains(told)) {
            told.remove(0);
        }
        let good = told.len() <= wanted.len() && told[..] == wanted[..told.len()];
        if good {
            Ok((told.len() == wanted.len()).then_some(()))
        } else {
            Err("it is not what is done".into())
        }
    });
    result.map_err(|e| format!("{e}: {told:?} instead of {wanted:?}"))
}

/// Our expert sees the display and its changes, and types.
pub fn ours(lane: &Lane) -> Result {
    let xvfb = Xvfb::start(&lane.folder.join("shared"), "800x600")?;
    let canvas = Canvas::open(&xvfb)?;
    let painted = canvas.paint(13)?;
    let mut novice = share(lane, "novice-x11-ours", &xvfb, "tls")?;
    let mut expert = expert(lane, &novice.file, &format!("--type {TYPED}"))?;
    novice.program.wait("established")?;
    sees(lane, &mut expert, &painted)?;
    sees(lane, &mut expert, &canvas.paint(14)?)?;
    let mut told = Vec::new();
    until("what is typed", || {
        told.extend(canvas.told()?);
        Ok((told.len() >= 2 * TYPED.len()).then_some(()))
    })?;
    let codes = told.chunks(2).map(|pair| match pair {
        [Told::Key(down, Way::Down), Told::Key(up, Way::Up)] if down == up => Some(*down),
        _ => None,
    });
    // Characters are typed with any keys: equal ones with the same, others with others.
    let codes: Vec<_> = codes.collect();
    let same = |a: usize, b: usize| (codes[a] == codes[b]) == (TYPED.as_bytes()[a] == TYPED.as_bytes()[b]);
    let all = 0..TYPED.len();
    if codes.len() != all.len()
        || codes.contains(&None)
        || !all.clone().all(|a| all.clone().all(|b| same(a, b)))
    {
        return Err(format!("not {TYPED}: {told:?}"));
    }
    expert.say("/quit")?;
    expert.wait("closed")?;
    expert.ends_well()?;
    novice.program.wait("closed")?;
    novice.program.ends_well()?;
    judge(lane, &novice.relay, Protection::Tls)
}
