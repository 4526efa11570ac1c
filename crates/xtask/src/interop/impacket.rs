//! impacket, a DCE/RPC and DCOM client in Python, and the scripts in `crates/xtask/peers`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::DEADLINE;
use crate::run::{Result, apt, command, root, run};

/// The version whose ways the scripts know.
const VERSION: &str = "0.13.1";

/// A virtual environment with impacket in it.
pub struct Impacket {
    python: PathBuf,
    pub version: String,
}

impl Impacket {
    /// Makes the environment where it is not there yet; `None` where it cannot be had.
    pub fn find(folder: &Path) -> Option<Self> {
        let environment = folder.join("impacket");
        let python = environment.join("bin/python");
        let there = || {
            let mut ask = Command::new(&python);
            ask.args(["-c", "import importlib.metadata as m; print(m.version('impacket'))"]);
            let output = ask.stderr(Stdio::null()).output().ok().filter(|o| o.status.success())?;
            Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        if there().as_deref() != Some(VERSION) {
            let make = || {
                let mut venv = command("python3 -m venv");
                venv.arg(&environment);
                run(venv)
            };
            if make().is_err() {
                apt("python3-venv");
                make().ok()?;
            }
            let mut pip = Command::new(&python);
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
            pip.arg(format!("impacket=={VERSION}"));
            run(pip).ok()?;
        }
        Some(Self { version: there()?, python })
    }

    /// The interpreter that has it.
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// A script of ours, to which arguments are added.
    pub fn script(&self, name: &str) -> Command {
        let mut script = Command::new(&self.python);
        // What it compiles is not left in the sources.
        script.env("PYTHONDONTWRITEBYTECODE", "1").arg(scripts().join(name));
        script
    }
}

/// Where the scripts are.
pub fn scripts() -> PathBuf {
    root().join("crates/xtask/peers")
}

/// Runs a script to its end; what it prints, a line of JSON each.
pub fn lines(script: &mut Command) -> Result<Vec<Value>> {
    let output = Command::new("timeout")
        .arg(DEADLINE.as_secs().to_string())
        .arg(script.get_program())
        .args(script.get_args())
        .envs(script.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null())
        .output()
        .map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{} ended with {}\n{said}", script.get_program().display(), output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))).collect()
}
