//! Stub data of DCOM calls: the answer of GetSessionInfo with 500 sessions ([MS-RAI] 3.3.4.1.2) and activation properties
//! ([MS-DCOM] 2.2.22), each beside one copy of its bytes and beside impacket doing the same.
//!
//! impacket is looked for where the interop lane puts it (`cargo xtask interop --only dcom`). It decodes our bytes and
//! encodes the same values; of what it encodes the referent ids and the bytes of padding are its own.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use ndr_oaut::{
    ActivationProperties, Frame, InstantiationInfoData, LocationInfoData, OrpcThat, Property, Stub,
    WideString,
};
use ra_dcom::calls::{GetSessionInfoResponse, OrpcResponse, PointerLevels, UserNames};
use ra_dcom::{HResult, SessionName};
use remassist_core::{Decode, Encode};
use testkit::bench::{heading, ratio, ratio_to};
use uuid::uuid;

const SESSIONS: u32 = 500;
const PROPERTIES: usize = 64;

/// What we may take of the time of impacket. No goal is named for these works: this and the others below are bounds
/// that show when something gets slower.
const IMPACKET: f64 = 0.005;

type Answer<'a> = Stub<'a, OrpcResponse<'a, GetSessionInfoResponse<'a>>>;

fn sessions() -> Vec<SessionName> {
    let session = |id| SessionName { domain: "DOMAIN".into(), user: format!("user{id:04}"), id };
    (0..SESSIONS).map(session).collect()
}

fn answer() -> Answer<'static> {
    let parameters = GetSessionInfoResponse {
        user_names: UserNames::new(PointerLevels::Two, &sessions()),
        count: 500,
        hresult: HResult::S_OK,
    };
    Stub::new(OrpcResponse { that: OrpcThat::default(), parameters })
}

fn activation() -> ActivationProperties<'static> {
    let class = uuid!("3c3a70a7-a468-49b9-8ada-28e11fccad5d");
    let interface = uuid!("f120a684-b926-447f-9df4-c966cb785648");
    let what =
        InstantiationInfoData { class_ctx: 0x14, ..InstantiationInfoData::new(class, vec![interface]) };
    let location = LocationInfoData {
        machine_name: Some(WideString::new("NOVICE")),
        process_id: 1,
        apartment_id: 2,
        context_id: 3,
    };
    let mut properties = vec![Property::from(location); PROPERTIES];
    properties[0] = what.into();
    ActivationProperties::new(properties)
}

/// The sessions that an answer tells, as text that is ours.
fn told(stub: &[u8]) -> Vec<SessionName> {
    let answer = Answer::decode(stub).unwrap();
    answer.value.parameters.user_names.sessions().map(Result::unwrap).collect()
}

/// The same properties, without what their bytes say besides.
fn plain(mut properties: ActivationProperties<'_>) -> ActivationProperties<'_> {
    properties.frame = Frame::default();
    for property in &mut properties.properties {
        match property {
            Property::InstantiationInfo(property) => property.frame = Frame::default(),
            Property::ServerLocationInfo(property) => property.frame = Frame::default(),
            _ => panic!("another property"),
        }
    }
    properties
}

/// What impacket did, by name of the work.
struct Impacket {
    folder: PathBuf,
    nanoseconds: HashMap<String, f64>,
}

impl Impacket {
    /// Lets it work, on our bytes where it decodes.
    fn run(works: [(&str, &[u8]); 2]) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let python = target.join("interop/impacket/bin/python");
        if !python.exists() {
            println!("\n!!! impacket is not installed, and was NOT measured: no {}", python.display());
            println!("!!! `cargo xtask interop --only dcom` installs it\n");
            return None;
        }
        let folder = env::temp_dir().join(format!("remassist-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in works {
            fs::write(folder.join(name), bytes).unwrap();
        }
        let script = root.join("crates/xtask/peers/impacket_bench.py");
        let mut command = Command::new(python);
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script).arg("--folder").arg(&folder);
        let output = command.stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "impacket_bench.py ended with {}", output.status);
        let mut nanoseconds = HashMap::new();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let name = line["name"].as_str().unwrap();
            for work in ["encode", "decode"] {
                nanoseconds.insert(format!("{name} {work}"), line[format!("{work}_ns")].as_f64().unwrap());
            }
        }
        Some(Self { folder, nanoseconds })
    }

    /// What it encoded.
    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(format!("{name}.impacket"))).unwrap()
    }
}

impl Drop for Impacket {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

fn main() {
    let (answer, activation) = (answer(), activation());
    let (stub, blob) = (answer.to_vec().unwrap(), activation.to_vec().unwrap());
    assert_eq!(Answer::decode(&stub).unwrap(), answer);
    assert_eq!(ActivationProperties::decode(&blob).unwrap(), activation);
    assert_eq!(told(&stub), sessions());
    let impacket = Impacket::run([("session-info", &stub), ("activation", &blob)]);
    // It wrote the same values into as many bytes; with its referent ids, all of which are kept.
    let foreign = impacket.as_ref().map(|impacket| {
        let (theirs, properties) = (impacket.bytes("session-info"), impacket.bytes("activation"));
        assert_eq!((theirs.len(), properties.len()), (stub.len(), blob.len()));
        assert_eq!(Answer::decode(&theirs).unwrap().value, answer.value);
        assert_eq!(plain(ActivationProperties::decode(&properties).unwrap()), activation);
        (theirs, properties)
    });

    let encode_answer = || _ = black_box(black_box(&answer).to_vec().unwrap());
    let decode_answer = |stub: &[u8]| _ = black_box(Answer::decode(black_box(stub)).unwrap());
    let names = || _ = black_box(told(black_box(&stub)));
    let encode_activation = || _ = black_box(black_box(&activation).to_vec().unwrap());
    let decode_activation =
        |blob: &[u8]| _ = black_box(ActivationProperties::decode(black_box(blob)).unwrap());

    heading(&format!("GetSessionInfo, 500 sessions, {} bytes", stub.len()));
    let copy = || _ = black_box(black_box(&stub[..]).to_vec());
    ratio("encode against one copy", 45.0, encode_answer, copy);
    ratio("decode against one copy", 60.0, || decode_answer(&stub), copy);
    if let Some((theirs, _)) = &foreign {
        ratio("decode of impacket's bytes against one copy", 200.0, || decode_answer(theirs), copy);
    }
    if let Some(Impacket { nanoseconds, .. }) = &impacket {
        ratio_to("encode against impacket", IMPACKET, encode_answer, nanoseconds["session-info encode"]);
        ratio_to("decode into text against impacket", IMPACKET, names, nanoseconds["session-info decode"]);
    }

    heading(&format!("Activation, 64 properties, {} bytes", blob.len()));
    let copy = || _ = black_box(black_box(&blob[..]).to_vec());
    ratio("encode against one copy", 80.0, encode_activation, copy);
    ratio("decode against one copy", 200.0, || decode_activation(&blob), copy);
    if let Some((_, theirs)) = &foreign {
        ratio("decode of impacket's bytes against one copy", 300.0, || decode_activation(theirs), copy);
    }
    if let Some(Impacket { nanoseconds, .. }) = &impacket {
        ratio_to("encode against impacket", IMPACKET, encode_activation, nanoseconds["activation encode"]);
        let decode = || decode_activation(&blob);
        ratio_to("decode against impacket", IMPACKET, decode, nanoseconds["activation decode"]);
    }
}
