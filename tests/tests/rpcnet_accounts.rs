//! Accounts of a server.

use std::fs;

use rpc_net::{Accounts, AccountsError, FileAccounts, MemoryAccounts, NtHash};

/// Of "Password": [MS-NLMP] 4.2.2.1.2.
const HASH: &str = "a4f49c406510bdcab6824ee7c30fd852";

#[test]
fn a_hash_is_the_one_of_the_specification() {
    let hash = NtHash::of_password("Password");
    assert_eq!(hash.to_hex().expose(), HASH);
    assert_eq!(NtHash::from_hex(&HASH.to_uppercase()), Some(hash));
    for wrong in [
        "",
        "a4f4",
        "g4f49c406510bdcab6824ee7c30fd852",
        "+4f49c406510bdcab6824ee7c30fd852",
        "ä4f49c406510bdcab6824ee7c30fd85",
    ] {
        assert_eq!(NtHash::from_hex(wrong), None, "{wrong}");
    }
}

#[test]
fn names_are_compared_without_case_and_domains_where_they_are_given() {
    let accounts =
        MemoryAccounts::new().with(Some("Dom"), "Ann", "1").with(None, "Bob", "2").with(None, "Ann", "3");
    let find = |domain, user| accounts.nt_hash(domain, user).unwrap();
    assert_eq!(find("DOM", "ANN"), Some(NtHash::of_password("1")));
    assert_eq!(find("other", "ann"), Some(NtHash::of_password("3")));
    assert_eq!(find("DOM", "bob"), Some(NtHash::of_password("2")));
    assert_eq!(find("", "bob"), Some(NtHash::of_password("2")));
    assert_eq!(find("DOM", "carl"), None);
    assert_eq!(format!("{accounts:?}"), "MemoryAccounts(3)");
}

#[test]
fn a_file_has_one_account_a_line() {
    let text = format!("# helpers\n\n  bob:{HASH}  \r\nDOM\\ann:{HASH}\nx:y:{HASH}\n");
    let accounts = MemoryAccounts::parse(&text).unwrap();
    assert_eq!(accounts.len(), 3);
    for (domain, user, there) in
        [("", "bob", true), ("dom", "ann", true), ("", "ann", false), ("", "x:y", true)]
    {
        assert_eq!(accounts.nt_hash(domain, user).unwrap().is_some(), there, "{domain} {user}");
    }
    for wrong in
        ["bob", "bob:", "bob:12", &format!(":{HASH}"), &format!("D\\:{HASH}"), &format!("A\\b\\c:{HASH}")]
    {
        let text = format!("# one\n{wrong}\n");
        assert_eq!(MemoryAccounts::parse(&text).unwrap_err(), AccountsError::Line { line: 2 }, "{wrong}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_is_read_for_each_logon_and_must_be_kept_from_others() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("accounts");
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let missing = AccountsError::Io(std::io::ErrorKind::NotFound);
    assert_eq!(FileAccounts::open(&path).unwrap_err(), missing);
    fs::write(&path, format!("bob:{HASH}\n")).unwrap();
    for open in [0o604, 0o644, 0o602, 0o620, 0o601] {
        mode(open);
        assert_eq!(FileAccounts::open(&path).unwrap_err(), AccountsError::Permissions, "{open:o}");
    }
    mode(0o640);
    let accounts = FileAccounts::open(&path).unwrap();
    assert!(accounts.nt_hash("", "BOB").unwrap().is_some());
    fs::write(&path, format!("ann:{HASH}\n")).unwrap();
    assert!(accounts.nt_hash("", "bob").unwrap().is_none());
    assert!(accounts.nt_hash("", "ann").unwrap().is_some());
    fs::write(&path, "ann\n").unwrap();
    assert_eq!(accounts.nt_hash("", "ann").unwrap_err(), AccountsError::Line { line: 1 });
    mode(0o666);
    assert_eq!(accounts.nt_hash("", "ann").unwrap_err(), AccountsError::Permissions);
    assert_eq!(FileAccounts::open(directory.path()).unwrap_err(), AccountsError::NotAFile);
    mode(0o600);
    fs::write(&path, vec![b'#'; usize::try_from(FileAccounts::MAX_SIZE).unwrap() + 1]).unwrap();
    assert_eq!(accounts.nt_hash("", "ann").unwrap_err(), AccountsError::NotAFile);
}
