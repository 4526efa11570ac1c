//! Settings and the exchange of contacts ([MS-RA] 3.13, 3.14), version 3.

use std::collections::BTreeMap;

use rccommand::{Command, ContactFile};
use remassist_core::text::TextDocument;
use remassist_core::{Decode as _, Decoded, Encode as _, Role, Version};

use crate::files::{FileMachine, Source};
use crate::link::Link;
use crate::{Channel, Event, FileOffer, Misuse, OwnContact, Why};

/// The one setting that the specification names ([MS-RA] 3.14).
pub(crate) const CONTACT_EXCHANGE: &str = "CONTACTEXCHANGE";
/// Name of the file that carries a contact; the specification leaves it open.
const CONTACT_FILE: &str = "contact.xml";

/// Settings, of either role: see [`Expert::settings`](crate::Expert::settings).
#[derive(Debug)]
pub struct Settings<'s> {
    pub(crate) link: &'s mut Link,
    pub(crate) machine: &'s mut SettingsMachine,
}

impl Settings<'_> {
    /// Announces the local value of a setting. The expert does so at once; the novice in answer to the expert's
    /// announcement of the same setting ([MS-RA] 3.13), now or when it comes.
    ///
    /// # Errors
    /// [`Misuse::NotEstablished`]; [`Misuse::OtherVersion`] outside of version 3; [`Misuse::Unwritable`];
    /// [`Misuse::QueueFull`].
    pub fn announce(&mut self, property: &str, value: &str) -> Result<(), Misuse> {
        if self.link.established()? != Version::V3 {
            return Err(Misuse::OtherVersion);
        }
        let command = announcement(property, value);
        if property == CONTACT_EXCHANGE || !Link::can_write(&command) {
            return Err(Misuse::Unwritable);
        }
        let machine = &mut self.machine;
        if !machine.local.contains_key(property) && machine.local.len() >= self.link.limits.settings {
            return Err(Misuse::QueueFull);
        }
        if self.link.role == Role::Expert || machine.unanswered.iter().any(|p| p == property) {
            self.link.command(&command)?;
        }
        machine.unanswered.retain(|p| p != property);
        machine.local.insert(property.to_owned(), value.to_owned());
        Ok(())
    }
}

/// How far the exchange of contacts has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exchange {
    /// Not agreed on.
    No,
    /// Both sides announced 1.
    Agreed,
    /// The peer's contact has come.
    Received,
}

#[derive(Debug)]
pub(crate) struct SettingsMachine {
    local: BTreeMap<String, String>,
    /// Novice: settings that the expert announced and for which there was no local value.
    unanswered: Vec<String>,
    contact: Option<OwnContact>,
    exchange: Exchange,
}

fn announcement<'a>(property: &'a str, value: &'a str) -> Command<'a> {
    Command::SettingAnnounce { property: property.into(), value: value.into() }
}

impl SettingsMachine {
    pub(crate) fn new(contact: Option<OwnContact>) -> Self {
        let value = if contact.is_some() { "1" } else { "0" };
        let local = BTreeMap::from([(CONTACT_EXCHANGE.to_owned(), value.to_owned())]);
        Self { local, unanswered: Vec::new(), contact, exchange: Exchange::No }
    }

    /// [MS-RA] 3.14: the expert of version 3 announces its setting when the session has begun.
    pub(crate) fn established(&self, link: &mut Link) {
        if link.role == Role::Expert
            && link.version == Some(Version::V3)
            && let Some(value) = self.local.get(CONTACT_EXCHANGE)
        {
            let _no_channel = link.command(&announcement(CONTACT_EXCHANGE, value));
        }
    }

    pub(crate) fn receive(&mut self, link: &mut Link, files: &mut FileMachine, property: &str, value: &str) {
        link.event(Event::Setting { property: property.to_owned(), value: value.to_owned() });
        // [MS-RA] 3.13.5: only the novice answers, so that there is no end of answers.
        if link.role == Role::Novice {
            match self.local.get(property) {
                Some(own) => {
                    let _no_channel = link.command(&announcement(property, own));
                }
                None if self.unanswered.iter().any(|p| p == property) => {}
                None if self.unanswered.len() < link.limits.settings => {
                    self.unanswered.push(property.to_owned());
                }
                None => link.ignore(Channel::Commands, Some("SETTINGANNOUNCE"), Why::TooLarge),
            }
        }
        if property == CONTACT_EXCHANGE
            && value == "1"
            && self.contact.is_some()
            && self.exchange == Exchange::No
        {
            self.exchange = Exchange::Agreed;
            if link.role == Role::Expert {
                self.send_contact(link, files);
            }
        }
    }

    /// How many bytes of internal data may be collected, if a contact is expected.
    pub(crate) fn expects(&self, link: &Link) -> Option<usize> {
        (self.exchange == Exchange::Agreed).then_some(link.limits.contact)
    }

    /// A file of internal data is complete.
    pub(crate) fn collected(&mut self, link: &mut Link, files: &mut FileMachine, file: &[u8]) {
        self.exchange = Exchange::Received;
        let options = link.decode_options();
        let contact = TextDocument::<ContactFile<'_>>::decode_with(file, &options)
            .map(|Decoded { value, .. }| value.content.contact());
        match contact {
            Ok(Some(contact)) => link.event(Event::Contact(Box::new(contact))),
            Ok(None) => return link.ignore(Channel::Commands, Some("contact file"), Why::Incomplete),
            Err(error) => {
                return link.ignore(Channel::Commands, Some("contact file"), Why::Undecodable(error));
            }
        }
        // [MS-RA] 3.14: the novice sends its own after it has the expert's.
        if link.role == Role::Novice {
            self.send_contact(link, files);
        }
    }

    fn send_contact(&self, link: &mut Link, files: &mut FileMachine) {
        let Some(own) = &self.contact else { return };
        if let Ok(file) = TextDocument::utf8(own.contact.to_file()).to_vec() {
            let size = u64::try_from(file.len()).unwrap_or(u64::MAX);
            let offer = FileOffer { name: CONTACT_FILE.to_owned(), size, internal_data: own.internal_data };
            let _full = files.send(link, offer, Source::Owned(file));
        }
    }
}
