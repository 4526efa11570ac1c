//! Events of a session, for people or for programs.

use std::io::Write;

use remassist::session::{ControlEvent, Event, FileEvent};
use serde_json::{Value, json};

use crate::Failure;
use crate::demo::words;

/// Prints events as they come: the reader may be waiting for one.
pub struct Reporter<'o> {
    pub out: &'o mut dyn Write,
    pub json: bool,
}

impl Reporter<'_> {
    /// An event of the session.
    pub fn event(&mut self, event: &Event) -> Result<(), Failure> {
        if let Event::File(FileEvent::Data { .. }) = event {
            return Ok(());
        }
        let text = words::of_event(event);
        let name = name(event);
        self.say(name, &text, details(event))
    }

    /// Something else that happened.
    pub fn say(&mut self, name: &str, text: &str, details: Value) -> Result<(), Failure> {
        if self.json {
            let mut object = json!({ "event": name, "text": text });
            if let (Some(object), Value::Object(details)) = (object.as_object_mut(), details) {
                object.extend(details);
            }
            writeln!(self.out, "{object}")?;
        } else {
            writeln!(self.out, "{text}")?;
        }
        self.out.flush()?;
        Ok(())
    }
}

const fn name(event: &Event) -> &'static str {
    match event {
        Event::Version(_) => "version",
        Event::Verified => "verified",
        Event::AskView { .. } => "ask_view",
        Event::ShareScreen => "share_screen",
        Event::Established(_) => "established",
        Event::PeerName(_) => "peer_name",
        Event::Chat(_) => "chat",
        Event::Typing => "typing",
        Event::Setting { .. } => "setting",
        Event::Contact(_) => "contact",
        Event::File(FileEvent::Offered { .. }) => "file_offered",
        Event::File(FileEvent::Accepted { .. }) => "file_accepted",
        Event::File(FileEvent::Complete { .. }) => "file_complete",
        Event::File(FileEvent::Sent { .. }) => "file_sent",
        Event::File(_) => "file_failed",
        Event::Control(ControlEvent::Requested) => "control_requested",
        Event::Control(ControlEvent::Withdrawn) => "control_withdrawn",
        Event::Control(ControlEvent::Granted) => "control_granted",
        Event::Control(ControlEvent::Refused) => "control_refused",
        Event::Control(ControlEvent::Denied) => "control_denied",
        Event::Control(_) => "control_ended",
        Event::Ignored(_) => "ignored",
        Event::Closed(_) => "closed",
        _ => "other",
    }
}

fn details(event: &Event) -> Value {
    match event {
        Event::Version(version) | Event::Established(version) => {
            json!({ "version": words::number(*version) })
        }
        Event::PeerName(name) => json!({ "name": name }),
        Event::AskView { expert } => json!({ "name": expert }),
        Event::Chat(text) => json!({ "message": text }),
        Event::File(FileEvent::Offered { id, name, size, .. }) => {
            json!({ "id": id.0, "name": name.suggestion, "size": size })
        }
        Event::File(
            FileEvent::Complete { id }
            | FileEvent::Sent { id }
            | FileEvent::Failed { id, .. }
            | FileEvent::Accepted { id },
        ) => json!({ "id": id.0 }),
        _ => json!({}),
    }
}
