//! Files that the program writes. Only their owner can read them: many let people in, or tell what was said.

use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// A file that can take the place of another one.
pub fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    NamedTempFile::new_in(folder)
}

/// Writes a file whole or not at all.
pub fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = beside(path)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
