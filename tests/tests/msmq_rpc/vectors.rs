//! Stub data that impacket has written: read, and written again as the same bytes.

use std::collections::BTreeMap;

use comqc_msmq::mqmp::{
    self, CacTransferBufferV1, ReceiveArm, ReceiveMessageRequest, SendArm, SendMessageRequest, Transfer,
};
use comqc_msmq::mqmr::{ActionRequest, GetInfoRequest, GetInfoResponse, MgmtObject};
use comqc_msmq::mqrr::{
    EndReceiveRequest, OpenQueueRequest, OpenQueueResponse, SectionBuffer, SectionType, StartReceiveRequest,
    StartReceiveResponse,
};
use comqc_msmq::rpc::{ContextHandle, MqStatus, ObjectId, Octets, PropVariant, QueueFormat, QueueFormatId};
use ndr_oaut::{Ndr, Stub};
use remassist_core::{Decode as _, Encode as _, from_hex};
use serde_json::Value;
use testkit::laws;
use uuid::{Uuid, uuid};

const GUID: Uuid = uuid!("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0");

fn rows() -> BTreeMap<String, Vec<u8>> {
    let rows: Vec<Value> = serde_json::from_str(include_str!("../../vectors/comqc-msmq/rpc.json")).unwrap();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.iter().map(|row| (text(row, "name"), from_hex(&text(row, "hex")).unwrap())).collect()
}

fn handle() -> ContextHandle {
    ContextHandle::new(Uuid::from_bytes_le([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]))
}

struct Rows(BTreeMap<String, Vec<u8>>);

impl Rows {
    /// The row is read as the value, and as nothing else; the value, written without impacket's pads, reads the same.
    fn says<T>(&mut self, name: &str, value: T)
    where
        T: for<'a> Ndr<'a> + PartialEq + std::fmt::Debug + Clone,
    {
        let bytes = self.0.remove(name).unwrap_or_else(|| panic!("no row {name}"));
        assert!(laws::bytes::<Stub<'_, T>>(&bytes), "{name}");
        let read = Stub::<T>::decode(&bytes).unwrap();
        assert_eq!(read.value, value, "{name}");
        let own = Stub::new(value.clone()).to_vec().unwrap();
        assert_eq!(own.len(), bytes.len(), "{name}");
        assert_eq!(Stub::<T>::decode(&own).unwrap().value, value, "{name}");
        for len in 0..bytes.len() {
            assert!(Stub::<T>::decode(&bytes[..len]).is_err(), "{name}: {len} bytes");
        }
    }
}

#[test]
fn what_impacket_writes_is_read_and_written_again() {
    let mut rows = Rows(rows());
    let orders = || QueueFormat::direct("OS:server\\private$\\orders");
    let open = |queue| OpenQueueRequest {
        queue,
        access: 1,
        share_mode: 0,
        client_id: GUID,
        non_routing_server: 1,
        major: 6,
        minor: 1,
        build_number: 7601,
        workgroup: 1,
    };
    let private = QueueFormatId::Private(ObjectId { lineage: GUID, uniquifier: 42 });
    rows.says("R_OpenQueue, direct", open(orders()));
    rows.says("R_OpenQueue, private", open(QueueFormat { suffix_and_flags: 0, id: private }));
    rows.says("R_OpenQueue, answer", OpenQueueResponse { context: handle() });
    rows.says(
        "R_StartReceive",
        StartReceiveRequest {
            context: handle(),
            lookup_id: 0x0123_4567_89AB_CDEF,
            cursor: 3,
            action: 0x8000_0001,
            timeout: 1000,
            request_id: 9,
            max_body_size: 4096,
            max_compound_message_size: 8192,
        },
    );
    let section = |kind, size_alloc, bytes: &[u8]| SectionBuffer { kind, size_alloc, bytes: bytes.into() };
    rows.says(
        "R_StartReceive, two sections",
        StartReceiveResponse {
            arrive_time: 1_700_000_000,
            sequence_id: 0x00CD_EF01_2345_6789,
            number_of_sections: 2,
            sections: Some(vec![
                section(SectionType::BINARY_FIRST, 30, b"the first"),
                section(SectionType::BINARY_SECOND, 6, b"second"),
            ]),
            status: MqStatus::MQ_OK,
        },
    );
    let nothing = StartReceiveResponse { status: MqStatus::MQ_ERROR_IO_TIMEOUT, ..Default::default() };
    rows.says("R_StartReceive, nothing in time", nothing);
    rows.says("R_EndReceive", EndReceiveRequest { context: handle(), ack: 2, request_id: 9 });
    let info = |object, properties: &[u32]| GetInfoRequest {
        object,
        count: u32::try_from(properties.len()).unwrap(),
        properties: properties.into(),
        values: vec![PropVariant::Null; properties.len()],
    };
    rows.says("R_QMMgmtGetInfo, machine", info(MgmtObject::Machine(0), &[1, 2, 6]));
    rows.says("R_QMMgmtGetInfo, queue", info(MgmtObject::Queue(Some(orders())), &[7]));
    rows.says(
        "R_QMMgmtGetInfo, values",
        GetInfoResponse {
            values: vec![
                PropVariant::texts(["DIRECT=OS:a\\b", "c"].map(String::from)),
                PropVariant::I8(1 << 33),
                PropVariant::Bool(0xFFFF),
                PropVariant::Ui1(200),
                PropVariant::I2(7),
                PropVariant::Null,
                PropVariant::text("YES"),
                PropVariant::Ui4(70_000),
            ],
            status: MqStatus::MQ_OK,
        },
    );
    let tidy = ActionRequest { object: MgmtObject::Machine(0), action: "TIDY".into() };
    rows.says("R_QMMgmtAction", tidy);
    programs(&mut rows);
    assert!(rows.0.is_empty(), "{:?}", rows.0.keys());
}

fn programs(rows: &mut Rows) {
    rows.says(
        "rpc_QMOpenQueueInternal",
        mqmp::OpenQueueRequest {
            queue: QueueFormat::direct("OS:server\\private$\\orders"),
            access: 2,
            client_name: "client".into(),
            ..Default::default()
        },
    );
    let octets = |bytes: &[u8]| Some(Some(bytes.to_vec().into()));
    let correlation: Vec<u8> = (0..20).collect();
    let title: Vec<u16> = "a label".encode_utf16().collect();
    let old = CacTransferBufferV1 {
        transfer: Transfer::Send(SendArm {
            admin_queue: Some(QueueFormat::direct("OS:a\\b")),
            response_queue: Some(QueueFormat::direct("OS:c\\private$\\d")),
        }),
        class: Some(0),
        priority: Some(5),
        delivery: Some(1),
        acknowledge: Some(0),
        auditing: Some(1),
        application_tag: Some(4711),
        correlation_id: octets(&correlation),
        body: octets(b"a body"),
        body_buffer_size: 6,
        alloc_body_buffer: 6,
        title: Some(Some(title.into())),
        title_buffer_size: 7,
        absolute_time_to_queue: u32::MAX,
        relative_time_to_live: 3600,
        priv_level: Some(0),
        body_type: Some(8),
        extension: octets(&[1, 2, 3]),
        extension_buffer_size: 3,
        ..Default::default()
    };
    let buffer = mqmp::CacTransferBufferV2 { old, ..Default::default() };
    assert!(buffer.sizes_agree());
    rows.says("rpc_ACSendMessageEx", SendMessageRequest { queue: handle(), buffer, message_id: None });

    let old = CacTransferBufferV1 {
        transfer: Transfer::Receive(ReceiveArm {
            request_timeout: 50,
            action: 0x8000_0000,
            cursor: 4,
            response_len: 64,
            response: Some(Some(vec![0; 64])),
            response_len_prop: Some(64),
            dest_len: 128,
            dest: Some(Some(vec![0; 128])),
            dest_len_prop: Some(128),
            ..Default::default()
        }),
        class: Some(0),
        message_id: Some(Some(ObjectId::default())),
        correlation_id: octets(&[0; 20]),
        sent_time: Some(0),
        arrived_time: Some(0),
        priority: Some(0),
        delivery: Some(0),
        auditing: Some(0),
        application_tag: Some(0),
        body: octets(&[0; 10]),
        body_buffer_size: 10,
        alloc_body_buffer: 10,
        body_size: Some(0),
        title: Some(Some(vec![0; 250].into())),
        title_buffer_size: 250,
        title_size: Some(250),
        time_to_live: Some(0),
        source_qm: Some(Some(Uuid::nil())),
        extension: octets(&[0; 3]),
        extension_buffer_size: 3,
        extension_size: Some(0),
        body_type: Some(0),
        version: Some(0),
        ..Default::default()
    };
    let buffer = mqmp::CacTransferBufferV2 { old, ..Default::default() };
    assert!(buffer.sizes_agree());
    rows.says("rpc_ACReceiveMessageEx", ReceiveMessageRequest { qm_context: 77, buffer });
}

/// Types that no row has, and values at their edges.
#[test]
fn what_we_write_is_read_again() {
    fn same<T: for<'a> Ndr<'a> + PartialEq + std::fmt::Debug>(value: T) {
        let bytes = Stub::new(value).to_vec().unwrap();
        assert!(laws::bytes::<Stub<'_, T>>(&bytes));
    }
    let id = || ObjectId { lineage: GUID, uniquifier: 1 };
    for id in [
        QueueFormatId::Unknown,
        QueueFormatId::Public(GUID),
        QueueFormatId::Private(id()),
        QueueFormatId::Direct("OS:a\\b".into()),
        QueueFormatId::Machine(GUID),
        QueueFormatId::Connector(GUID),
        QueueFormatId::DistributionList(GUID, None),
        QueueFormatId::DistributionList(GUID, Some("example.com".into())),
        QueueFormatId::Multicast(1, 2),
        QueueFormatId::Subqueue("OS:a\\b;c".into()),
    ] {
        same(QueueFormat { suffix_and_flags: 0x81, id });
    }
    same(vec![
        PropVariant::Empty,
        PropVariant::I4(-1),
        PropVariant::I1(-1),
        PropVariant::Ui2(1),
        PropVariant::Ui8(u64::MAX),
        PropVariant::Lpwstr(None),
        PropVariant::Clsid(Some(GUID)),
        PropVariant::Blob(Some(Octets(vec![1, 2, 3]))),
        PropVariant::Blob(Some(Octets::default())),
        PropVariant::Blob(None),
        PropVariant::VectorUi1(Some(Octets(vec![1]))),
        PropVariant::VectorUi2(Some(vec![1, 2])),
        PropVariant::VectorI4(Some(vec![-1])),
        PropVariant::VectorUi4(Some(vec![1])),
        PropVariant::VectorUi8(Some(vec![1, 2])),
        PropVariant::VectorClsid(Some(vec![GUID])),
        PropVariant::VectorLpwstr(Some(vec![None, Some("a".into())])),
        PropVariant::VectorVariant(Some(vec![PropVariant::Ui8(1), PropVariant::text("b")])),
    ]);
}

#[test]
fn variants_in_variants_end_somewhere() {
    let mut value = PropVariant::Null;
    for _ in 0..100 {
        value = PropVariant::VectorVariant(Some(vec![value]));
    }
    let bytes = Stub::new(value).to_vec().unwrap();
    assert!(Stub::<PropVariant>::decode(&bytes).is_err());
}

/// Number of each type in the oracle `msmq_rpc_stub`.
const TYPES: &[(&str, u8)] = &[
    ("OpenQueueRequest", 0),
    ("OpenQueueResponse", 1),
    ("StartReceiveRequest", 3),
    ("StartReceiveResponse", 4),
    ("EndReceiveRequest", 5),
    ("GetInfoRequest", 6),
    ("GetInfoResponse", 7),
    ("ActionRequest", 8),
    ("mqmp::OpenQueueRequest", 10),
    ("SendMessageRequest", 19),
    ("ReceiveMessageRequest", 21),
];

/// `RPC_SEEDS=1 cargo test` writes the seeds of the fuzz targets again.
#[test]
fn seeds_of_the_fuzz_targets_are_the_rows() {
    let table: Vec<Value> = serde_json::from_str(include_str!("../../vectors/comqc-msmq/rpc.json")).unwrap();
    let mut seeds = BTreeMap::new();
    for row in &table {
        let (name, kind) = (row["name"].as_str().unwrap(), row["type"].as_str().unwrap());
        let number = TYPES.iter().find(|(name, _)| *name == kind).unwrap().1;
        let bytes = [&[number][..], &from_hex(row["hex"].as_str().unwrap()).unwrap()].concat();
        seeds.insert(format!("msmq_rpc_stub/{}", name.replace(", ", "-").replace(' ', "_")), bytes);
    }
    for (name, calls) in conversations() {
        let bytes = calls.iter().flat_map(|(choice, stub)| {
            let length = u16::try_from(stub.len()).unwrap().to_le_bytes();
            [&[*choice, length[0], length[1]], &stub[..]].concat()
        });
        seeds.insert(format!("msmq_rpc_server/{name}"), bytes.collect());
    }
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, bytes) in seeds {
        let file = corpus.join(&name);
        if std::env::var_os("RPC_SEEDS").is_some() {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &bytes).unwrap();
        }
        assert_eq!(std::fs::read(file).unwrap(), bytes, "{name}");
    }
}

/// Opnum with the interface, and stub data, of each call.
type Conversation = Vec<(u8, Vec<u8>)>;

/// Calls of the oracle `msmq_rpc_server`, whose queue is `PRIVATE$\\q` with three messages.
fn conversations() -> Vec<(&'static str, Conversation)> {
    fn stub<T: for<'a> Ndr<'a>>(value: T) -> Vec<u8> {
        Stub::new(value).to_vec().unwrap()
    }
    let any = ContextHandle { attributes: 0xFE, id: Uuid::nil() };
    let queue = || QueueFormat::direct("OS:box\\private$\\q");
    let open = || (2, stub(OpenQueueRequest { queue: queue(), access: 1, ..Default::default() }));
    let start = |action, cursor, request_id| {
        let max_body_size = 10;
        (
            7,
            stub(StartReceiveRequest {
                context: any,
                action,
                cursor,
                request_id,
                max_body_size,
                ..Default::default()
            }),
        )
    };
    let end = |ack, request_id| (9, stub(EndReceiveRequest { context: any, ack, request_id }));
    let bare = |opnum| (opnum, stub(any));
    let info = |object, properties: &[u32]| {
        let values = vec![PropVariant::Null; properties.len()];
        let count = u32::try_from(properties.len()).unwrap();
        (0x40, stub(GetInfoRequest { object, count, properties: properties.into(), values }))
    };
    let internal = |access| {
        (
            0x80 | 19,
            stub(mqmp::OpenQueueRequest {
                queue: queue(),
                access,
                client_name: "c".into(),
                ..Default::default()
            }),
        )
    };
    let cursor = || (0xC0 | 3, stub((any, mqmp::CreateRemoteCursor::default())));
    let rows = rows();
    // Behind the handle, or the number of the queue.
    let with = |name: &str, len: usize| {
        let mut bytes = rows[name].clone();
        bytes[..len].fill(0);
        bytes[0] = 0xFE;
        bytes
    };
    vec![
        (
            "receive",
            vec![open(), start(0, 0, 1), end(1, 1), start(0, 0, 2), end(2, 2), start(0, 0, 3), bare(3)],
        ),
        (
            "peek",
            vec![
                open(),
                bare(4),
                start(0x8000_0000, 1, 0),
                start(0x8000_0001, 1, 0),
                start(0, 1, 5),
                bare(6),
            ],
        ),
        (
            "manage",
            vec![
                info(MgmtObject::Machine(0), &[1, 2, 3, 4, 5, 6]),
                info(MgmtObject::Queue(Some(queue())), &[1, 7, 27]),
            ],
        ),
        ("send", vec![internal(2), (0xC0 | 1, with("rpc_ACSendMessageEx", 20)), bare(0x80 | 20)]),
        (
            "use",
            vec![
                internal(1),
                // The row has the cursor 4.
                cursor(),
                cursor(),
                cursor(),
                cursor(),
                (0xC0 | 2, with("rpc_ACReceiveMessageEx", 4)),
                bare(0x80 | 27),
                bare(0x80 | 20),
            ],
        ),
    ]
}

#[test]
fn names_of_results_are_those_of_the_specification() {
    for (status, name) in [
        (MqStatus(0), "MQ_OK"),
        (MqStatus(0xC00E_0003), "MQ_ERROR_QUEUE_NOT_FOUND"),
        (MqStatus(0xC00E_001B), "MQ_ERROR_IO_TIMEOUT"),
        (MqStatus(0x400E_0009), "MQ_INFORMATION_FORMATNAME_BUFFER_TOO_SMALL"),
        (MqStatus(0x8007_0005), "0x80070005"),
    ] {
        assert_eq!(status.to_string(), name);
    }
    assert!(MqStatus(0x400E_0001).is_success() && !MqStatus::MQ_ERROR.is_success());
}
