//! Properties of messages, as options tell them.

use comqc_msmq::session::{MonikerClass, Properties, QueueMoniker};
use uuid::Uuid;

use crate::Failure;
use crate::args::PropertyArgs;

/// Characters of UTF-16 that a label may have ([MS-MQDMPR] 3.1.1.12).
const LABEL: usize = 249;

impl PropertyArgs {
    /// That a message is for the class that the moniker names.
    pub fn check_target(&self, target: Uuid) -> Result<(), String> {
        match self.moniker.as_ref().map(|moniker| &moniker.class) {
            Some(MonikerClass::Clsid(named)) if *named != target => {
                Err(format!("the calls are for {}, the moniker names {}", target.braced(), named.braced()))
            }
            // Which class a ProgID is, only a registry knows.
            _ => Ok(()),
        }
    }

    /// The properties; those that are not told are those of a recorded message.
    pub fn read(&self) -> Result<Properties, Failure> {
        let mut properties = self.moniker.as_ref().map(QueueMoniker::properties).unwrap_or_default();
        if let Some(label) = &self.label {
            properties.label.clone_from(label);
        }
        let len = properties.label.encode_utf16().count();
        if len > LABEL {
            return Err(Failure::Usage(format!(
                "the label has {len} characters of UTF-16; at most {LABEL} are allowed"
            )));
        }
        properties.priority = self.priority.unwrap_or(properties.priority);
        if let Some(expires) = self.expires {
            // A part of a second must not become none at all.
            let seconds = expires.as_millis().div_ceil(1000);
            let told = u32::try_from(seconds).ok().filter(|seconds| *seconds < u32::MAX);
            let too_long = || Failure::Usage("--expires is longer than a message can tell".to_owned());
            properties.time_to_be_received = Some(told.ok_or_else(too_long)?);
        }
        properties.positive_journaling |= self.journal;
        properties.negative_journaling |= self.dead_letter;
        properties.application_tag = self.application_tag.unwrap_or(properties.application_tag);
        properties.correlation = self.correlation.unwrap_or(properties.correlation);
        if let Some(queue) = &self.response_queue {
            properties.response_queue.clone_from(queue);
        }
        Ok(properties)
    }
}
