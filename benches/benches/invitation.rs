//! Invitations against FreeRDP 2: parse, decrypt, make the PASS of the expertBlob.

use std::ffi::{CString, c_char, c_int, c_void};
use std::hint::black_box;

use libloading::Library;
use ra_connstring::{ConnectionString, ConnectionString1, ConnectionString2, Endpoint, KeyHash};
use ra_invitation::{Invitation, InvitationBuilder, encrypt_pass_stub, encrypt_ticket};
use remassist_core::Decode as _;
use remassist_core::text::{TextDocument, TextFormat as _};
use testkit::bench::{heading, ratio};

const PASSWORD: &str = "Pass123!";
const STUB: &str = "WB^6HsrIaFmEpi";

type Parse = unsafe extern "C" fn(*mut c_void, *const c_char, usize, *const c_char) -> c_int;
type Stub = unsafe extern "C" fn(*mut c_void, *mut *const c_char, *mut usize) -> c_int;

/// The functions of libfreerdp2 that an expert calls for an invitation.
struct FreeRdp {
    new: unsafe extern "C" fn() -> *mut c_void,
    parse: Parse,
    stub: Stub,
    free: unsafe extern "C" fn(*mut c_void),
    _library: Library,
}

impl FreeRdp {
    fn load() -> Option<Self> {
        // SAFETY: the library's initialisation has no preconditions, the signatures are those of
        // freerdp/assistance.h 2.11, and the library is kept as long as the pointers.
        unsafe {
            let library = Library::new("libfreerdp2.so.2").ok()?;
            Some(Self {
                new: *library.get(b"freerdp_assistance_file_new\0").ok()?,
                parse: *library.get(b"freerdp_assistance_parse_file_buffer\0").ok()?,
                stub: *library.get(b"freerdp_assistance_get_encrypted_pass_stub\0").ok()?,
                free: *library.get(b"freerdp_assistance_file_free\0").ok()?,
                _library: library,
            })
        }
    }

    /// Parses a file; the encrypted PassStub when it was accepted.
    fn open(&self, file: &CString, password: &CString) -> Option<Vec<u8>> {
        let size = file.as_bytes().len();
        // SAFETY: the object is made, used and freed here; both strings end with a NUL and live longer than the calls.
        unsafe {
            let object = (self.new)();
            let (mut stub, mut len) = (std::ptr::null(), 0);
            let accepted = (self.parse)(object, file.as_ptr(), size, password.as_ptr()) > 0
                && (self.stub)(object, &mut stub, &mut len) != 0;
            let stub = accepted.then(|| std::slice::from_raw_parts(stub.cast::<u8>(), len).to_vec());
            (self.free)(object);
            stub
        }
    }
}

fn ours(file: &[u8]) -> Vec<u8> {
    let invitation = TextDocument::<Invitation<'_>>::decode(file).unwrap().content;
    let read = |text: &str| assert!(!ConnectionString::parse(text).unwrap().candidates().is_empty());
    if let Ok(ticket) = invitation.decrypt_ticket(PASSWORD) {
        read(ticket.expose());
    }
    if let Some(ticket) = invitation.rc_ticket() {
        read(ticket.expose());
    }
    encrypt_pass_stub(PASSWORD, invitation.pass_stub().unwrap().expose())
}

fn main() {
    heading("Invitations");
    // SAFETY: no other thread runs yet. Keeps the library's log quiet.
    unsafe { std::env::set_var("WLOG_LEVEL", "OFF") };
    let endpoint = Endpoint::parse("192.0.2.10:49749").unwrap();
    let kh = KeyHash::compute_sha1(b"key");
    let id = "ZXhhbXBsZSBvZiBhbiBhdXRoZW50aWNhdGlvbiBpZA==";
    let two = ConnectionString2::new(id).with_key_hash(&kh).with_listener(&endpoint).to_text().unwrap();
    let one = ConnectionString1::new([endpoint.clone(), endpoint], id, &kh).to_text().unwrap();
    let builder = InvitationBuilder::new("novice", 1_795_240_964, 360);
    let ticket = encrypt_ticket(PASSWORD, &format!("{two}\r\n"));
    let type1 = builder.type1(&one, Some(STUB)).to_text().unwrap();
    let type2 = builder.type2(&ticket, STUB, None).to_text().unwrap();

    let Some(freerdp) = FreeRdp::load() else {
        println!("libfreerdp2 not installed: skipped");
        return;
    };
    let password = CString::new(PASSWORD).unwrap();
    for (name, text, goal) in
        [("type 1: parse, PassStub", type1, 0.5), ("type 2: parse, decrypt, PassStub", type2, 0.33)]
    {
        let file = CString::new(text).unwrap();
        assert_eq!(freerdp.open(&file, &password), Some(ours(file.as_bytes())), "{name}: FreeRDP agrees");
        ratio(
            name,
            goal,
            || {
                black_box(ours(black_box(file.as_bytes())));
            },
            || {
                black_box(freerdp.open(black_box(&file), &password));
            },
        );
    }
}
