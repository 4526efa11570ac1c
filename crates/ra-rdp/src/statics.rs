//! The static channels, as IronRDP is told of them: it joins them, but what comes on them never gets there.

use ironrdp_core::AsAny;
use ironrdp_pdu::PduResult;
use ironrdp_pdu::gcc::ChannelName;
use ironrdp_svc::{StaticChannelSet, SvcClientProcessor, SvcMessage, SvcProcessor, SvcServerProcessor};

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

/// Which MCS channels they have got.
pub(crate) fn ids(initiator: u16, channels: &StaticChannelSet) -> Ids {
    Ids {
        initiator,
        remdesk: channels.get_channel_id_by_type::<Remdesk>(),
        encomsp: channels.get_channel_id_by_type::<Encomsp>(),
        drdynvc: channels.get_channel_id_by_type::<Drdynvc>(),
    }
}
