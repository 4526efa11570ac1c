#![doc = include_str!("../README.md")]

mod channel;
mod chat;
mod core;
mod credentials;
mod expert;
mod files;
mod io;
mod link;
mod novice;
mod options;
mod settings;
mod share;
mod voice;

pub use channel::Channel;
pub use chat::Chat;
pub use credentials::{
    AlternateShell, Claim, ClientInfo, ClientInfoPolicy, Credentials, CredentialsError, Initiation, KeyPolicy,
    ServerKey,
};
pub use expert::{Expert, ExpertConfig, ExpertError};
pub use files::{
    BlockIter, Blocks, FileBlock, FileEvent, FileFailure, FileName, FileOffer, Files, Receiving, Sending,
    TransferId,
};
pub use io::{Event, Ignored, Input, Misuse, Output, Reason, Why};
pub use novice::{Attempts, NoErrorAt, Novice, NoviceConfig, NoviceError};
pub use options::{BadVersion, Options, OwnContact, SessionLimits, VoicePolicy};
pub use remassist_core::{Role, Time, Version};
pub use settings::Settings;
pub use share::{ControlEvent, EndedBy, TakeBack};
pub use voice::{Voice, VoiceEvent};
