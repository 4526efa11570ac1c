//! Files of the peer on their way to a folder.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::PathBuf;

use ra_session::{Event, FileEvent, TransferId};
use tempfile::NamedTempFile;

/// How many names are tried for a file whose own is taken.
const NAMES: u32 = 1000;

/// Puts the files that a session receives into a folder: whole, or not at all. What has come of a file is in a temporary
/// file of that folder until it is complete, and is gone when the transfer fails or this is dropped.
#[derive(Debug)]
pub struct Downloads {
    folder: PathBuf,
    /// A session receives one file at a time.
    current: Option<Download>,
}

#[derive(Debug)]
struct Download {
    id: TransferId,
    name: String,
    file: Option<NamedTempFile>,
}

impl Downloads {
    /// Into this folder, which must be there.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), current: None }
    }

    /// Looks at an event of the session; gives the path of a file that it completes. Where a file has that name already,
    /// the new one gets a number before it; nothing is ever overwritten.
    ///
    /// # Errors
    /// Those of the file system. The rest of that file is then ignored; its transfer may be cancelled.
    pub fn follow(&mut self, event: &Event) -> io::Result<Option<PathBuf>> {
        let result = self.event(event);
        if result.is_err() {
            self.current = None;
        }
        result
    }

    fn event(&mut self, event: &Event) -> io::Result<Option<PathBuf>> {
        let Event::File(event) = event else { return Ok(None) };
        match event {
            FileEvent::Offered { id, name, .. } => {
                self.current = Some(Download { id: *id, name: name.suggestion.clone(), file: None });
            }
            FileEvent::Data { id, bytes, .. } => {
                if let Some(download) = self.current.as_mut().filter(|d| d.id == *id) {
                    let file = match &mut download.file {
                        Some(file) => file,
                        none => none.insert(NamedTempFile::new_in(&self.folder)?),
                    };
                    file.write_all(bytes)?;
                }
            }
            FileEvent::Complete { id } => {
                if let Some(Download { name, file, .. }) = self.current.take_if(|d| d.id == *id) {
                    let file = file.map_or_else(|| NamedTempFile::new_in(&self.folder), Ok)?;
                    return self.keep(&name, file).map(Some);
                }
            }
            FileEvent::Failed { id, .. } | FileEvent::Withdrawn { id } => {
                self.current.take_if(|d| d.id == *id);
            }
            _ => {}
        }
        Ok(None)
    }

    /// Gives the file the first name that is not taken.
    fn keep(&self, name: &str, mut file: NamedTempFile) -> io::Result<PathBuf> {
        file.as_file().sync_all()?;
        for n in 0..NAMES {
            let path = self.folder.join(if n == 0 { name.to_owned() } else { format!("{n}-{name}") });
            match file.persist_noclobber(&path) {
                Ok(_) => return Ok(path),
                // Where links are not to be had, a name that is taken is told in another way.
                Err(e)
                    if e.error.kind() == ErrorKind::AlreadyExists || fs::symlink_metadata(&path).is_ok() =>
                {
                    file = e.file;
                }
                Err(e) => return Err(e.error),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }
}
