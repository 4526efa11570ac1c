//! Programs that do what calls ask for.

use std::io::{self, Write as _};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStderr, Command};

/// Bytes at the end of what a program says that are kept for the last error.
const KEPT: usize = 1024;
/// How long the rest of what an ended program has said is waited for: what it has started may hold its standard error.
const PATIENCE: Duration = Duration::from_millis(500);

/// A command that the shell runs.
#[derive(Debug, Clone)]
pub struct Program(pub String);

impl Program {
    /// Runs it with this input to its end; an error is its status and the end of what it has said.
    ///
    /// What it prints goes to standard error, where it does not come between our results.
    pub async fn run(&self, input: &[u8], environment: &[(&str, String)]) -> Result<(), String> {
        let mut command = shell(&self.0);
        command.envs(environment.iter().map(|(name, value)| (*name, value)));
        command.stdin(Stdio::piped()).stdout(io::stderr()).stderr(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C is for us: the program may end what it does.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|e| format!("the command cannot be run: {e}"))?;
        let stdin = child.stdin.take();
        let said = Arc::<Mutex<Vec<u8>>>::default();
        let listening = tokio::spawn(listen(child.stderr.take(), Arc::clone(&said)));
        let write = async {
            if let Some(mut stdin) = stdin {
                // A program need not read what it does not want to know.
                let _it_reads_no_more = stdin.write_all(input).await;
            }
        };
        let status = tokio::select! {
            status = child.wait() => status,
            () = write => child.wait().await,
        };
        let abort = listening.abort_handle();
        if tokio::time::timeout(PATIENCE, listening).await.is_err() {
            abort.abort();
        }
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(error(status, &said.lock().unwrap_or_else(PoisonError::into_inner))),
            Err(error) => Err(format!("the command cannot be waited for: {error}")),
        }
    }
}

fn shell(command: &str) -> Command {
    #[cfg(windows)]
    let (shell, option) = ("cmd", "/C");
    #[cfg(not(windows))]
    let (shell, option) = ("sh", "-c");
    let mut shell = Command::new(shell);
    shell.arg(option).arg(command);
    shell
}

/// Passes on what a program says, and keeps its end.
async fn listen(stderr: Option<ChildStderr>, said: Arc<Mutex<Vec<u8>>>) {
    let Some(mut stderr) = stderr else { return };
    let mut buffer = vec![0; 4096];
    while let Ok(len @ 1..) = stderr.read(&mut buffer).await {
        let bytes = buffer.get(..len).unwrap_or_default();
        let _nobody_listens = io::stderr().write_all(bytes);
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(bytes);
        let surplus = said.len().saturating_sub(KEPT);
        said.drain(..surplus);
    }
}

fn error(status: ExitStatus, said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let ended = match (status.code(), signal(status)) {
        (Some(code), _) => format!("exit status {code}"),
        (_, Some(signal)) => format!("ended by signal {signal}"),
        _ => "ended".to_owned(),
    };
    match said.trim() {
        "" => ended,
        // The cut may go through a character.
        said => format!("{ended}: {}", said.trim_start_matches(char::REPLACEMENT_CHARACTER)),
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}
