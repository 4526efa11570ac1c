//! Numbers and bit fields of [MS-RDPEMC] 2.2.

remassist_core::named_numbers! {
    /// What a PDU is ([MS-RDPEMC] 2.2.1); 2 bytes.
    PduType(u16) {
        /// Filter-Updated.
        FILTER_STATE_UPDATED = 0x0001 "ODTYPE_FILTER_STATE_UPDATED";
        /// Application-Removed.
        APP_REMOVED = 0x0002 "ODTYPE_APP_REMOVED";
        /// Application-Created.
        APP_CREATED = 0x0003 "ODTYPE_APP_CREATED";
        /// Window-Removed.
        WND_REMOVED = 0x0004 "ODTYPE_WND_REMOVED";
        /// Window-Created.
        WND_CREATED = 0x0005 "ODTYPE_WND_CREATED";
        /// Show Window.
        WND_SHOW = 0x0006 "ODTYPE_WND_SHOW";
        /// Participant-Removed.
        PARTICIPANT_REMOVED = 0x0007 "ODTYPE_PARTICIPANT_REMOVED";
        /// Participant-Created.
        PARTICIPANT_CREATED = 0x0008 "ODTYPE_PARTICIPANT_CREATED";
        /// Change Participant Control Level.
        PARTICIPANT_CTRL_CHANGE = 0x0009 "ODTYPE_PARTICIPANT_CTRL_CHANGED";
        /// Graphics Stream-Paused.
        GRAPHICS_STREAM_PAUSED = 0x000A "ODTYPE_GRAPHICS_STREAM_PAUSED";
        /// Graphics Stream-Resumed.
        GRAPHICS_STREAM_RESUMED = 0x000B "ODTYPE_GRAPHICS_STREAM_RESUMED";
        /// Window Region Update.
        WND_REGION_UPDATE = 0x000C "ODTYPE_WND_RGN_UPDATE";
        /// Change Participant Control Level Response.
        PARTICIPANT_CTRL_CHANGE_RESPONSE = 0x000D "ODTYPE_PARTICIPANT_CTRL_CHANGE_RESPONSE";
    }
}

remassist_core::named_numbers! {
    /// Who ended the connection of a participant ([MS-RDPEMC] 2.2.4.2); 4 bytes.
    DiscType(u32) {
        /// The host.
        APP = 0 "PARTICIPANT_DISCONNECT_REASON_APP";
        /// The participant.
        CLI = 2 "PARTICIPANT_DISCONNECT_REASON_CLI";
    }
}

remassist_core::named_numbers! {
    /// Why the connection of a participant ended ([MS-RDPEMC] 2.2.4.2); 4 bytes. Other values are HRESULTs.
    DiscCode(u32) {
        /// Not because of an error.
        OK = 0 "S_OK";
        /// Nothing could be sent to the participant. The specification gives the value no name.
        SEND_FAILED = 0xD00A_0006 "SEND_FAILED";
        /// An error of the host. The specification gives the value no name.
        HOST_ERROR = 0xD000_0001 "HOST_ERROR";
    }
}

flags! {
    /// State of the filter ([MS-RDPEMC] 2.2.3.1); 1 byte.
    FilterFlags(u8) {
        /// Only chosen applications are shared.
        ENABLED = 0x01 "FILTER_ENABLED";
    }
}

flags! {
    /// State of an application ([MS-RDPEMC] 2.2.3.2); 2 bytes.
    AppFlags(u16) {
        /// It is shared.
        SHARED = 0x0001 "APPLICATION_SHARED";
    }
}

flags! {
    /// State of a window ([MS-RDPEMC] 2.2.3.4); 2 bytes.
    WindowFlags(u16) {
        /// It is shared.
        SHARED = 0x0001 "WINDOW_SHARED";
    }
}

flags! {
    /// What a participant may do ([MS-RDPEMC] 2.2.4.1); 2 bytes.
    ParticipantFlags(u16) {
        /// See the desktop.
        MAY_VIEW = 0x0001 "MAY_VIEW";
        /// Use mouse and keyboard.
        MAY_INTERACT = 0x0002 "MAY_INTERACT";
        /// It is the one that gets this PDU.
        IS_PARTICIPANT = 0x0004 "IS_PARTICIPANT";
    }
}

flags! {
    /// What a participant wants ([MS-RDPEMC] 2.2.4.3, 2.2.4.4); 2 bytes.
    ControlFlags(u16) {
        /// See the desktop.
        REQUEST_VIEW = 0x0001 "REQUEST_VIEW";
        /// Use mouse and keyboard.
        REQUEST_INTERACT = 0x0002 "REQUEST_INTERACT";
        /// Be allowed to ask.
        ALLOW_CONTROL_REQUESTS = 0x0008 "ALLOW_CONTROL_REQUESTS";
    }
}
