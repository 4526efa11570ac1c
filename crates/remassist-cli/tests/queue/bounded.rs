//! Processes and FIFOs that are waited for, but not for ever: a program that hangs makes its test fail.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// Only a failure ever takes so long.
pub const BOUND: Duration = Duration::from_secs(120);
const TICK: Duration = Duration::from_millis(5);

/// Waits for the end of a process; kills it, and panics, when it does not come.
pub fn end(child: &mut Child) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > BOUND {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it did not end in {BOUND:?}");
        }
        sleep(TICK);
    }
}

/// What a command says until its end. What was set for its standard output stays.
pub fn output(command: &mut Command, stdout: Option<Stdio>) -> Output {
    let stdout = stdout.unwrap_or_else(Stdio::piped);
    let mut child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    let out = child.stdout.take().map(all);
    let said = child.stderr.take().map(all);
    let status = end(&mut child);
    // Something that it has started may hold the other ends.
    let whole = |told: Option<Receiver<Vec<u8>>>| {
        told.map(|told| told.recv_timeout(BOUND).unwrap()).unwrap_or_default()
    };
    Output { status, stdout: whole(out), stderr: whole(said) }
}

fn all(mut stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (tell, told) = channel();
    spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        tell.send(bytes)
    });
    told
}

/// Lines as they come.
pub fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (tell, told) = channel();
    spawn(move || BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    told
}

/// What a process says, of which a part may be waited for.
#[cfg(target_os = "linux")]
pub struct Said {
    told: Receiver<Vec<u8>>,
    so_far: Vec<u8>,
}

#[cfg(target_os = "linux")]
pub fn bytes(mut stream: impl Read + Send + 'static) -> Said {
    let (tell, told) = channel();
    spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(len @ 1..) = stream.read(&mut buffer) {
            if tell.send(buffer[..len].to_vec()).is_err() {
                return;
            }
        }
    });
    Said { told, so_far: Vec::new() }
}

#[cfg(target_os = "linux")]
impl Said {
    pub fn until(&mut self, wanted: &str) {
        while !String::from_utf8_lossy(&self.so_far).contains(wanted) {
            let more = self.told.recv_timeout(BOUND);
            let text = String::from_utf8_lossy(&self.so_far).into_owned();
            self.so_far.extend(more.unwrap_or_else(|error| panic!("no {wanted} in {text:?}: {error}")));
        }
    }

    /// All that it has said, when it has ended.
    pub fn rest(mut self) -> String {
        while let Ok(more) = self.told.recv_timeout(BOUND) {
            self.so_far.extend(more);
        }
        String::from_utf8_lossy(&self.so_far).into_owned()
    }
}

/// A FIFO; whoever still waits at it is let go when it is dropped.
#[cfg(unix)]
pub struct Fifo(std::path::PathBuf);

#[cfg(unix)]
impl Fifo {
    pub fn new(path: std::path::PathBuf) -> Self {
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        Self(path)
    }

    /// What somebody writes to it.
    pub fn read(&self) -> String {
        let path = self.0.clone();
        let (tell, told) = channel();
        spawn(move || tell.send(std::fs::read_to_string(path).unwrap()));
        told.recv_timeout(BOUND).expect("nobody writes to the FIFO")
    }

    /// Lets those go on that read it.
    pub fn write(&self, text: &'static str) {
        let path = self.0.clone();
        let (tell, told) = channel();
        spawn(move || {
            std::fs::write(path, text).unwrap();
            tell.send(())
        });
        told.recv_timeout(BOUND).expect("nobody reads the FIFO");
    }
}

#[cfg(unix)]
impl Drop for Fifo {
    fn drop(&mut self) {
        // Opened for both, it waits for nobody.
        let _nobody_waits = std::fs::OpenOptions::new().read(true).write(true).open(&self.0);
    }
}
