//! What both sides of a connection ask IronRDP for: the static channels, which it joins (what comes on them never gets
//! there), and the capability that is demanded.

use ironrdp_core::AsAny;
use ironrdp_pdu::PduResult;
use ironrdp_pdu::gcc::ChannelName;
use ironrdp_pdu::rdp::capability_sets::{CapabilitySet, GeneralExtraFlags};
use ironrdp_svc::{StaticChannelSet, SvcClientProcessor, SvcMessage, SvcProcessor, SvcServerProcessor};

use crate::RdpError;
use crate::channels::Ids;

macro_rules! channels {
    ($($type:ident $name:literal;)*) => {$(
        #[derive(Debug)]
        pub(crate) struct $type;

        impl AsAny for $type {
            fn as_any(&self) -> &dyn core::any::Any {
                self
            }
            fn as_any_mut(&mut self) -> &mut dyn core::any::Any {
                self
            }
        }

        impl SvcProcessor for $type {
            fn channel_name(&self) -> ChannelName {
                ChannelName::from_static($name)
            }
            fn process(&mut self, _: &[u8]) -> PduResult<Vec<SvcMessage>> {
                Ok(Vec::new())
            }
        }

        impl SvcClientProcessor for $type {}
        impl SvcServerProcessor for $type {}
    )*};
}

channels! {
    Remdesk b"remdesk\0";
    Encomsp b"encomsp\0";
    Drdynvc b"drdynvc\0";
}

/// What Remote Assistance demands of both sides ([MS-RA] 3.3).
pub(crate) fn fast_path(capabilities: &[CapabilitySet]) -> Result<(), RdpError> {
    let takes = capabilities.iter().any(|set| {
        matches!(set, CapabilitySet::General(general)
            if general.extra_flags.contains(GeneralExtraFlags::FASTPATH_OUTPUT_SUPPORTED))
    });
    if takes { Ok(()) } else { Err(RdpError::Protocol("no FASTPATH_OUTPUT_SUPPORTED")) }
}

/// Which MCS channels they have got.
pub(crate) fn ids(initiator: u16, channels: &StaticChannelSet) -> Ids {
    Ids {
        initiator,
        remdesk: channels.get_channel_id_by_type::<Remdesk>(),
        encomsp: channels.get_channel_id_by_type::<Encomsp>(),
        drdynvc: channels.get_channel_id_by_type::<Drdynvc>(),
    }
}
