//! Events in words.

use remassist::core::{Version, usize_from};
use remassist::session::{ControlEvent, EndedBy, Event, FileEvent};

pub fn number(version: Version) -> usize {
    1 + usize_from(u32::from(version > Version::V1)) + usize_from(u32::from(version > Version::V2))
}

pub fn of_event(event: &Event) -> String {
    match event {
        Event::Version(version) => format!("this is version {}", number(*version)),
        Event::Verified => "verified: the other side knows what it must".to_owned(),
        Event::AskView { expert: Some(name) } => format!("may {name} see the screen?"),
        Event::AskView { expert: None } => "may the expert see the screen?".to_owned(),
        Event::ShareScreen => "the screen is shared from now on".to_owned(),
        Event::Established(version) => format!("session of version {} established", number(*version)),
        Event::PeerName(name) => format!("the other one is called {name}"),
        Event::Chat(text) => format!("reads: {text}"),
        Event::Typing => "the expert is typing".to_owned(),
        Event::Setting { property, value } => format!("the other side's {property} is {value}"),
        Event::Contact(contact) => format!("got the contact of {}, {}", contact.name, contact.address),
        Event::File(event) => of_file(event),
        Event::Control(event) => of_control(*event).to_owned(),
        Event::Ignored(ignored) => match ignored.message {
            Some(name) => format!("drops {name}: {}", ignored.why),
            None => format!("drops a message on {}: {}", ignored.channel, ignored.why),
        },
        Event::Closed(reason) => format!("over: {reason}"),
        other => format!("{other:?}"),
    }
}

fn of_file(event: &FileEvent) -> String {
    match event {
        FileEvent::Offered { name, size, .. } => format!("wants {} of {size} bytes?", name.suggestion),
        FileEvent::Accepted { .. } => "the file is wanted".to_owned(),
        FileEvent::Complete { .. } => "the file is complete".to_owned(),
        FileEvent::Sent { .. } => "the file was sent".to_owned(),
        FileEvent::Failed { why, .. } => format!("the file failed: {why}"),
        other => format!("{other:?}"),
    }
}

const fn of_control(event: ControlEvent) -> &'static str {
    match event {
        ControlEvent::Requested => "may the expert use mouse and keyboard?",
        ControlEvent::Withdrawn => "the expert no longer wants mouse and keyboard",
        ControlEvent::Granted => "mouse and keyboard are granted",
        ControlEvent::Refused => "mouse and keyboard are refused",
        ControlEvent::Denied => "mouse and keyboard are forbidden by a policy",
        ControlEvent::Ended(EndedBy::PanicKey) => "mouse and keyboard were taken back with the panic key",
        ControlEvent::Ended(EndedBy::Novice) => "mouse and keyboard were taken back",
        ControlEvent::Ended(EndedBy::Expert) => "mouse and keyboard were given back",
        ControlEvent::Ended(_) => "mouse and keyboard were given back after an error",
        _ => "control changed",
    }
}
